//! Whether HTTP is served with a certificate that clients take, and for how long.

use std::time::Duration;

use super::{Site, aside::aside, finding::Finding};
use clawpool_core::task::Timestamp;
use clawpool_server::api::Certificate;

/// Time enough for a person to get a new one.
const SOON: Duration = Duration::from_hours(14 * 24);

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let files = match site.config() {
        Ok(config) => config.api.tls.clone(),
        Err(finding) => return vec![finding],
    };
    let Some(files) = files else { return vec![Finding::skipped("HTTP is served without TLS")] };
    let opened = aside(move || Certificate::open(&files).map_err(|error| error.to_string())).await;
    vec![match opened {
        Some(Ok(certificate)) => judge(certificate.ends_at(), Timestamp::now()),
        Some(Err(error)) => Finding::error(error, FIX).with_code("CP-1015"),
        None => Finding::skipped("this system has no thread to look with"),
    }]
}

const FIX: &str =
    "write a new certificate and its key to the files of api.tls: they are read while it serves";

fn judge(end: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(end) = end else { return Finding::warning("it is not known when the certificate ends", FIX) };
    let left = end.since(now);
    if left.is_zero() {
        Finding::error(format!("the certificate of api.tls ended at {end}: clients refuse it"), FIX)
    } else if left < SOON {
        Finding::warning(format!("the certificate of api.tls ends at {end}"), FIX)
    } else {
        Finding::ok(format!("the certificate of api.tls holds until {end}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_certificate_that_ends_soon_is_told_before() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let day = Duration::from_hours(24);
        for (end, status) in [
            (Some(now + day * 15), Status::Ok),
            (Some(now + day * 13), Status::Warning),
            (Some(now), Status::Error),
            (Some(Timestamp::from_millis(0)), Status::Error),
            (None, Status::Warning),
        ] {
            assert_eq!(judge(end, now).status, status, "{end:?}");
        }
    }
}
