//! The counters of the Windows performance monitor.

use super::{aside::aside, finding::Finding};
use clawpool_server::telemetry::counters::is_registered;

pub(super) async fn check() -> Vec<Finding> {
    vec![match aside(is_registered).await.flatten() {
        Some(true) => Finding::ok("they are registered"),
        Some(false) => Finding::skipped("they are not registered; `clawpool service install` does it"),
        None => Finding::skipped("this system has none"),
    }]
}
