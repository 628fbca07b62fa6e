//! The Redis of the cluster profile: whether it holds tasks safely, and takes them now.

use bytesize::ByteSize;
use secrecy::ExposeSecret;

use super::{Site, finding::Finding};
use clawpool_backends::{
    backend::redis::inspect::{Inspection, inspect},
    store::StoreError,
};
use clawpool_core::config::{Profile, redact};

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let config = match site.config() {
        Ok(config) => config,
        Err(skipped) => return vec![skipped],
    };
    if config.profile != Profile::Cluster {
        return vec![Finding::skipped("the profile is embedded, which has no Redis")];
    }
    let address = redact(config.redis.url.expose_secret());
    match inspect(&config.redis).await {
        Ok(seen) => judge(&address, &seen),
        Err(error) => vec![unreachable(&address, &error.into())],
    }
}

fn unreachable(address: &str, error: &StoreError) -> Finding {
    let text = format!("{address}: {error}");
    let fix = match error {
        StoreError::Unavailable { .. } => "start it, or correct redis.url",
        _ => "correct redis.url or the rights of its user",
    };
    Finding::error(text, fix).with_code(error.code())
}

fn judge(address: &str, seen: &Inspection) -> Vec<Finding> {
    let memory = match seen.max_memory {
        Some(most) => format!("{} of {}", ByteSize::b(seen.memory), ByteSize::b(most)),
        None => ByteSize::b(seen.memory).to_string(),
    };
    let trip = seen.round_trip.as_secs_f64() * 1000.0;
    let version = &seen.version;
    let about = format!("{address} is Redis {version}; a round trip takes {trip:.1} ms, it holds {memory}");
    let errors = [
        seen.unfit.as_deref().map(|why| Finding::error_with_its_fix(why).with_code("CP-1304")),
        seen.unwilling.as_deref().map(|why| Finding::error_with_its_fix(why).with_code("CP-1306")),
    ];
    let warnings = [seen.weakness.map(Finding::warning_with_its_fix), slow(seen), filling(seen)];
    let findings = errors.into_iter().chain(warnings).flatten();
    [Finding::ok(about)].into_iter().chain(findings).collect()
}

/// P0 is to start within 200 ms, and its way has several round trips.
fn slow(seen: &Inspection) -> Option<Finding> {
    const SLOW: u128 = 20;
    let millis = seen.round_trip.as_millis();
    (millis >= SLOW).then(|| {
        let text = format!("a round trip takes {millis} ms, and a task takes several before it starts");
        Finding::warning(text, "run workers and dispatchers nearer to Redis")
    })
}

fn filling(seen: &Inspection) -> Option<Finding> {
    let most = seen.max_memory?;
    (seen.memory < most && seen.memory > most / 10 * 9).then(|| {
        let text = "more than nine tenths of its maxmemory are in use; when it is full, no task is taken";
        Finding::warning(text, "raise its maxmemory, or let more workers empty its queues")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::Status;

    fn healthy() -> Inspection {
        Inspection {
            version: "7.2.4".into(),
            unfit: None,
            weakness: None,
            unwilling: None,
            memory: 1_000_000,
            max_memory: None,
            round_trip: Duration::from_micros(200),
            clock_ahead: 0,
        }
    }

    fn worst(seen: &Inspection) -> Status {
        judge("redis://host", seen).into_iter().map(|finding| finding.status).max().unwrap()
    }

    #[test]
    fn each_trouble_is_found() {
        assert_eq!(worst(&healthy()), Status::Ok);
        for (seen, status) in [
            (Inspection { unfit: Some("it evicts; set noeviction".into()), ..healthy() }, Status::Error),
            (
                Inspection { unwilling: Some("its memory is full: raise it".into()), ..healthy() },
                Status::Error,
            ),
            (Inspection { weakness: Some("no file. Set `appendonly yes`"), ..healthy() }, Status::Warning),
            (Inspection { round_trip: Duration::from_millis(80), ..healthy() }, Status::Warning),
            (Inspection { max_memory: Some(1_050_000), ..healthy() }, Status::Warning),
            (Inspection { max_memory: Some(9_000_000), ..healthy() }, Status::Ok),
        ] {
            assert_eq!(worst(&seen), status, "{seen:?}");
        }
    }
}
