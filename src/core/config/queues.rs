//! The section `[queues]`.

use std::{collections::BTreeMap, time::Duration};

use humantime::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report};
use crate::task::{Queue, span};

/// How many tasks may wait on each queue; a full queue refuses more (503 with Retry-After).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueLimits {
    /// Tasks that may wait on each queue; two million by default.
    pub limit: u64,
    /// Other limits for single queues: `"critical.p0" = 1000`.
    pub limits: BTreeMap<Queue, u64>,
    /// A task that for so long has no message on its queue, though it waits, is looked for; and a worker that
    /// runs a task for so long is asked whether it does.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub doubt: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { limit: 2_000_000, limits: BTreeMap::new(), doubt: Duration::from_secs(15) }
    }
}

impl QueueLimits {
    /// How many tasks may wait on this queue: its own limit, or the common one.
    pub fn get(&self, queue: Queue) -> u64 {
        self.limits.get(&queue).copied().unwrap_or(self.limit)
    }

    pub(super) fn check(&self, report: &mut Report) {
        report.at_least_one("queues.limit", self.limit);
        for (queue, limit) in &self.limits {
            report.at_least_one(Key::from("queues.limits").name(queue.name()), *limit);
        }
        if !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&self.doubt) {
            let shown = format_duration(self.doubt);
            let rule = "messages are on their way for moments: it must be 1s to 1h";
            report.refuse(&Key::from("queues.doubt"), shown, rule, "write for example \"15s\"");
        }
    }
}
