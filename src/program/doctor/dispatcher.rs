//! The dispatcher, when one answers.

use super::{Site, finding::Finding};
use clawpool_engine::client::{
    ClientError,
    health::{HealthView, ReasonView, Status},
};

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    match site.client.health().await {
        Ok(view) => judge(&site.url, &view),
        Err(ClientError::Unreachable { reason, .. }) => {
            vec![Finding::skipped(format!("none answers at {} ({reason})", site.url))]
        }
        Err(error) => vec![Finding::warning(error, "name the dispatcher with --url or CLAWPOOL_URL")],
    }
}

fn judge(url: &str, view: &HealthView) -> Vec<Finding> {
    let HealthView { version, .. } = view;
    let state = format!("{:?}", view.status).to_lowercase();
    let about = format!("the one at {url} is {state}, of version {version}");
    let services = view.services.iter().filter(|(_, state)| *state != "up");
    let services = services.map(|(name, state)| format!("{name} {state}")).collect::<Vec<_>>().join(", ");
    let whole = match view.status {
        Status::Healthy => Finding::ok(about),
        Status::Starting => {
            let server = view.waiting_for.as_deref().unwrap_or("its servers");
            Finding::warning(
                format!("{about}; it waits for {server}"),
                "start that server, or correct its address",
            )
        }
        Status::Degraded => Finding::warning(about, "see what is found beside this"),
        Status::Unhealthy => Finding::error(format!("{about}: {services}"), "bring that server back"),
    };
    let reasons = view.reasons.iter().map(reason);
    [whole].into_iter().chain(other_version(version)).chain(reasons).collect()
}

fn other_version(version: &str) -> Option<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    (version != own).then(|| {
        let text = format!("it is of version {version}, and this program of {own}");
        Finding::warning(text, "restart it with this program, or ask with its own")
    })
}

fn reason(reason: &ReasonView) -> Finding {
    let text = reason.text.as_deref().unwrap_or("in trouble; a token shows more");
    Finding::error(format!("{}: {text}", reason.subject), reason.event.fix()).with_code(reason.event.code())
}
