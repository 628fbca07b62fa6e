use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::span;

/// How large a pool of workers should be, and how fast it may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Autoscale {
    /// Workers at least and at most.
    pub min: u32,
    pub max: u32,
    /// Between two looks at the pool.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub every: Duration,
    /// Workers that the table may add within any minute.
    pub per_minute: u32,
    /// After adding workers, before the table adds more.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_out: Duration,
    /// Between two times that the table takes workers away.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_in: Duration,
    pub target: Target,
    pub forecast: Forecasting,
    /// Thresholds, each with what it does when it is crossed for long enough.
    pub policies: Vec<Policy>,
}

impl Default for Autoscale {
    fn default() -> Self {
        Self {
            min: 1,
            max: 100,
            every: Duration::from_secs(5),
            per_minute: 10,
            cooldown_out: Duration::from_secs(60),
            cooldown_in: Duration::from_secs(300),
            target: Target::default(),
            forecast: Forecasting::default(),
            policies: Policy::defaults(),
        }
    }
}

/// Tracks the size at which tasks wait no longer than they may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
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
    /// Tracking and the forecast know how many workers are missing, so their own pace is not that of the
    /// table.
    pub per_minute: u32,
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_out: Duration,
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
}

/// Starts workers before a peak that returns with the hour or the weekday.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forecasting {
    pub mode: ForecastMode,
    /// One sample of the arrival rate.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub step: Duration,
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub horizon: Duration,
    /// The periods in which load repeats. Each counts once two of it have been seen.
    #[schemars(with = "Vec<String>")]
    pub seasons: Vec<Season>,
    /// Samples are kept this long.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub history: Duration,
    /// Workers are started ahead when the forecast needs more than this many times the present ones.
    pub above: f64,
}

impl Default for Forecasting {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            mode: ForecastMode::On,
            step: Duration::from_secs(300),
            horizon: Duration::from_secs(900),
            seasons: vec![Season(DAY), Season(7 * DAY)],
            history: 21 * DAY,
            above: 1.3,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Season(#[serde(with = "span")] pub Duration);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastMode {
    On,
    /// Forecasts and reports, and never changes the pool.
    Watch,
    Off,
}

/// One row of the table: when a metric has stood beyond a threshold for long enough, do something.
/// Exactly one of `above` and `below`, exactly one of `add`, `remove` and `replace`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: String,
    pub metric: Metric,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    #[serde(default, with = "span")]
    #[schemars(with = "String")]
    pub lasting: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<u32>,
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
    pub const fn is_percent(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Busy)
    }
}

impl Policy {
    /// Spec S4.
    fn defaults() -> Vec<Self> {
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
