//! The table `[autoscale.target]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::reading::{Key, Report},
    task::span,
};

/// Tracks the size at which tasks wait no longer than they may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// False: the table of policies and the forecast decide alone.
    pub enabled: bool,
    /// Busy slots at most, in per cent: beyond, the pool grows.
    pub busy: f64,
    /// The pool shrinks only to a size whose slots are this much less busy, in points of per cent, so that it
    /// does not swing.
    pub slack: f64,
    /// A backlog should be gone after this.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub drain: Duration,
    /// While the oldest task has waited longer than this, the pool is too small whatever the rates say.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub wait: Duration,
    /// The pool shrinks only to the largest size that was needed within this time; a single worker too many
    /// stays three times as long.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub settle: Duration,
    /// Workers that tracking and the forecast may add within any minute. Both know how many are missing, so
    /// their own pace is not that of the table.
    pub per_minute: u32,
    /// After adding workers, before tracking and the forecast add more; 10 s by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_out: Duration,
    /// Between two times that tracking takes workers away; 15 s by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_in: Duration,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            enabled: true,
            busy: 80.0,
            slack: 10.0,
            drain: Duration::from_secs(30),
            wait: Duration::from_secs(10),
            settle: Duration::from_secs(60),
            per_minute: 100,
            cooldown_out: Duration::from_secs(10),
            cooldown_in: Duration::from_secs(15),
        }
    }
}

impl Target {
    /// Rates are taken over this long: half of the time that needs are remembered, so that each is seen
    /// whole.
    pub fn sensed(&self) -> Duration {
        self.settle / 2
    }
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        let busy = key.name("busy");
        if !(self.busy > 0.0 && self.busy <= 100.0) {
            let rule = "it must be more than 0 and at most 100 per cent";
            report.refuse(&busy, self.busy, rule, "write for example 70");
        }
        if !(self.slack >= 0.0 && self.slack < self.busy) && self.busy > 0.0 {
            let slack = key.name("slack");
            let rule = format!("it must be 0 or more, and less than {busy} ({})", self.busy);
            report.conflict(&[&slack, &busy], self.slack, rule, "write for example 10");
        }
        report.at_least_one(key.name("per_minute"), self.per_minute);
        report.positive(key.name("drain"), self.drain);
        report.positive(key.name("wait"), self.wait);
    }
}
