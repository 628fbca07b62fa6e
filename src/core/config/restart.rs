use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::span;

/// When a worker that died is replaced. The figures count for each place of a pool: one worker after the
/// other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
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
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub window: Duration,
    /// Restarts within an hour at most. Default: no such limit with `immediate`, else 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<u32>,
    pub breaker: Breaker,
}

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
    pub failures: u32,
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub window: Duration,
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
    pub fn initial(&self) -> Duration {
        self.initial.unwrap_or(match self.policy {
            RestartPolicy::Immediate => Duration::from_millis(500),
            _ => Duration::from_secs(5),
        })
    }

    pub fn max(&self) -> Duration {
        self.max.unwrap_or(match self.policy {
            RestartPolicy::Immediate => Duration::from_secs(30),
            _ => Duration::from_secs(300),
        })
    }

    pub fn per_hour(&self) -> Option<u32> {
        self.per_hour.or(match self.policy {
            RestartPolicy::Immediate => None,
            _ => Some(10),
        })
    }
}
