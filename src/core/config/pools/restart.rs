//! The table `restart` of a pool: when a worker that died is replaced.

use std::time::Duration;

use humantime::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::reading::{Key, Report},
    task::span,
};

/// When a worker that died is replaced. The figures count for each place of a pool: one worker after the
/// other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
    /// When the next worker is started; at once by default.
    pub policy: RestartPolicy,
    /// The first wait, or the one wait of `delayed`. Default: 500 ms with `immediate`, else 5 s.
    #[serde(with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub initial: Option<Duration>,
    /// Each further wait is longer by this.
    pub factor: f64,
    /// The longest wait. Default: 30 s with `immediate`, else 300 s.
    #[serde(with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub max: Option<Duration>,
    /// Restarts within `window` at most.
    pub limit: u32,
    /// What `limit` counts within; 5 min by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub window: Duration,
    /// Restarts within an hour at most. Default: no such limit with `immediate`, else 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<u32>,
    /// For a worker that fails at its start.
    pub breaker: Breaker,
}

/// How a worker that died is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// At once after the first death, then after growing waits.
    #[default]
    Immediate,
    /// Always after the same wait.
    Delayed,
    /// After growing waits, from the first death on.
    Exponential,
    /// Never again.
    None,
    /// On a command: `clawpool workers restart`.
    Manual,
}

/// Stops the restarts of a worker that fails at its start: `failures` within `window` keep it down for
/// `open`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Failed starts that keep the worker down; 3 by default.
    pub failures: u32,
    /// What `failures` counts within; 5 min by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub window: Duration,
    /// How long the worker then stays down; 5 min by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub open: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::default(),
            initial: None,
            factor: 2.0,
            max: None,
            limit: 30,
            window: Duration::from_secs(300),
            per_hour: None,
            breaker: Breaker::default(),
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 3, window: Duration::from_secs(300), open: Duration::from_secs(300) }
    }
}

impl Restart {
    /// The first wait: as configured, or as the policy has it.
    pub fn initial(&self) -> Duration {
        self.initial.unwrap_or(match self.policy {
            RestartPolicy::Immediate => Duration::from_millis(500),
            _ => Duration::from_secs(5),
        })
    }

    /// The longest wait: as configured, or as the policy has it.
    pub fn max(&self) -> Duration {
        self.max.unwrap_or(match self.policy {
            RestartPolicy::Immediate => Duration::from_secs(30),
            _ => Duration::from_secs(300),
        })
    }

    /// Restarts within an hour at most: as configured, or as the policy has it. `None`: any number.
    pub fn per_hour(&self) -> Option<u32> {
        self.per_hour.or(match self.policy {
            RestartPolicy::Immediate => None,
            _ => Some(10),
        })
    }
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        let breaker = key.name("breaker");
        report.positive(key.name("window"), self.window);
        report.positive(breaker.name("window"), self.breaker.window);
        report.positive(breaker.name("open"), self.breaker.open);
        if let Some(initial) = self.initial {
            report.positive(key.name("initial"), initial);
        }
        report.at_least_one(key.name("limit"), self.limit);
        report.at_least_one(breaker.name("failures"), self.breaker.failures);
        if let Some(hour) = self.per_hour {
            report.at_least_one(key.name("per_hour"), hour);
        }
        if !self.factor.is_finite() || self.factor < 1.0 {
            report.refuse(&key.name("factor"), self.factor, "waits never become shorter", "write 1 or more");
        }
        if self.initial() > self.max() {
            let shown = format_duration(self.initial());
            let rule = format!("it is longer than the longest wait ({})", format_duration(self.max()));
            let keys = [&key.name("initial"), &key.name("max")];
            report.conflict(&keys, shown, rule, "shorten it, or raise max");
        }
        let bare = Self { policy: RestartPolicy::None, ..Self::default() };
        if self.policy == RestartPolicy::None && *self != bare {
            let rule = "a worker that is never replaced has no waits and no limits";
            let fix = "take the other settings out, or choose another policy";
            report.conflict(&[&key.name("policy")], "\"none\"", rule, fix);
        }
    }
}

#[cfg(test)]
mod tests;
