//! The section `[results]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Limits, reading::Report};
use crate::task::span;

/// How long finished tasks are kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Results {
    /// How long a result is kept when its task does not say.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub ttl: Duration,
    /// A finished task is remembered at least this long, so that a late redelivery does not run it again
    /// (INV-5).
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub dedupe: Duration,
    /// Dead letters are kept this long.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub dead: Duration,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3600),
            dedupe: Duration::from_secs(600),
            dead: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl Results {
    pub(super) fn check(&self, limits: &Limits, report: &mut Report) {
        report.positive("results.dedupe", self.dedupe);
        report.positive("results.dead", self.dead);
        report.ordered(("results.ttl", self.ttl), ("limits.result_ttl", limits.result_ttl));
    }
}
