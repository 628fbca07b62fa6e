//! The list `[[autoscale.policies]]`: thresholds, and what is done beyond them.

mod check;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::check::check;
use crate::task::span;

/// One row of the table: when a metric has stood beyond a threshold for long enough, do something.
/// Exactly one of `above` and `below`, exactly one of `add`, `remove` and `replace`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What decisions call it; no two policies share one.
    pub name: String,
    /// What is compared.
    pub metric: Metric,
    /// Acts while the metric is more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Acts while the metric is less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// For how long the threshold must have been crossed; at once by default.
    #[serde(default, with = "span")]
    #[schemars(with = "String")]
    pub lasting: Duration,
    /// Workers to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<u32>,
    /// Workers to take away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<u32>,
    /// Replace every worker, and raise the alarm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
    /// Instead of the pool's own cooldown.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cooldown: Option<Duration>,
}

/// What a policy compares with its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Per cent, over the workers.
    Cpu,
    /// Per cent, over the workers.
    Memory,
    /// Slots with a task, in per cent, over the workers.
    Busy,
    /// Ready tasks.
    Queue,
    /// Seconds that the oldest ready task has waited.
    Oldest,
    /// Healthy workers.
    Healthy,
}

impl Metric {
    /// Whether it goes from 0 to 100.
    pub(crate) const fn is_percent(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Busy)
    }
}

impl Policy {
    /// Spec S4.
    pub(super) fn defaults() -> Vec<Self> {
        let row = |name: &str, metric, lasting| Self {
            name: name.to_owned(),
            metric,
            above: None,
            below: None,
            lasting: Duration::from_secs(lasting),
            add: None,
            remove: None,
            replace: false,
            cooldown: None,
        };
        vec![
            Self { above: Some(70.0), add: Some(1), ..row("scale out", Metric::Cpu, 120) },
            Self { above: Some(85.0), add: Some(3), ..row("scale out fast", Metric::Cpu, 60) },
            Self { above: Some(100.0), add: Some(5), ..row("scale out max", Metric::Queue, 120) },
            Self { below: Some(30.0), remove: Some(1), ..row("scale in", Metric::Cpu, 600) },
            Self { below: Some(20.0), remove: Some(2), ..row("scale in safe", Metric::Cpu, 900) },
            Self {
                below: Some(1.0),
                replace: true,
                cooldown: Some(Duration::ZERO),
                ..row("emergency", Metric::Healthy, 0)
            },
        ]
    }
}
