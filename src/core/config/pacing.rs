//! The section `[pacing]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report};

/// The background lane's speed limit over all workers together.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
    pub(super) fn check(&self, report: &mut Report) {
        let rate = self.per_second;
        if !rate.is_finite() || rate <= 0.0 {
            let rule = "it must be more than zero, or background tasks never start";
            report.refuse(&Key::from("pacing.per_second"), rate, rule, "write for example 100.0");
        }
        report.at_least_one("pacing.burst", self.burst);
    }
}
