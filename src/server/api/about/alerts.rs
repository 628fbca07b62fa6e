use crate::api::openapi::{About, query};

pub(in crate::api) fn list() -> About {
    let about = "Alerts of this level or above it: `info`, `warning`, `error`, `critical`.";
    About::new("list_alerts", "Lists what an operator should know, the latest first")
        .with([query::pool(), query::since("Alerts")])
        .with([query::word("level", about, ["info", "warning", "error", "critical"])])
        .with(query::page())
        .answers(200, "A page of alerts.")
}
