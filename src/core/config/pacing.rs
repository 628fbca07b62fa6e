//! The section `[pacing]`, and the pace of a queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report};

/// A queue's speed limit over all workers together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pacing {
    /// Tasks a second.
    pub per_second: f64,
    /// Tasks that may start at once after a quiet time.
    pub burst: u32,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { per_second: 100.0, burst: 100 }
    }
}

impl Pacing {
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        let rate = self.per_second;
        if !rate.is_finite() || rate <= 0.0 {
            let rule = "it must be more than zero, or its tasks never start";
            report.refuse(&key.name("per_second"), rate, rule, "write for example 100.0");
        }
        report.at_least_one(key.name("burst"), self.burst);
    }
}
