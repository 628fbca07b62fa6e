//! The section `[health]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report};
use crate::task::span;

/// The queues are looked at every few seconds, so nothing shorter can be told.
const SHORTEST: Duration = Duration::from_secs(5);

/// What counts as trouble beside servers that do not answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// A queue is stalled when tasks are ready, workers have free slots for them, and none has started for so
    /// long. Zero: this is not watched.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub stalled: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self { stalled: Duration::from_secs(30) }
    }
}

impl Health {
    pub(super) fn check(&self, report: &mut Report) {
        if !self.stalled.is_zero() && self.stalled < SHORTEST {
            let shown = humantime::format_duration(self.stalled);
            let rule = "queues are looked at every few seconds, so this is too short";
            let fix = "write \"5s\" or more, or \"0s\" to watch nothing";
            report.refuse(&Key::from("health.stalled"), shown, rule, fix);
        }
    }
}
