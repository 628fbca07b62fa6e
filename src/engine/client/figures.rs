//! The shapes of answers about figures.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_core::{
    figures::Spans,
    task::{Priority, Timestamp},
};

/// How well each class keeps its promise.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SlaView {
    /// One for each priority, the most urgent first.
    pub items: Vec<ClassSlaView>,
}

/// How well one class keeps its promise: so many of its starts within so many milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClassSlaView {
    /// The class.
    pub priority: Priority,
    /// From when a task can start to its start, in milliseconds.
    pub promise_ms: u64,
    /// The share of starts that is to keep it.
    pub objective: f64,
    /// By the length of the span: `5m`, `1h`, `1d`, `30d`.
    pub spans: BTreeMap<String, KeptView>,
}

/// The starts of one span of time until now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeptView {
    /// How long that is, in seconds.
    #[serde(default)]
    pub span_s: u64,
    /// Attempts that ended, by how they began.
    pub starts: u64,
    /// Those that began later than promised.
    pub late: u64,
    /// The share that was in time; absent where nothing started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
    /// Waits of these starts.
    #[serde(flatten)]
    pub wait: SpansView,
    /// How fast the error budget is used up: 1 is as fast as it may.
    pub burn_rate: f64,
    /// Of the error budget of this span: 1 is all of it, below 0 the objective is missed.
    pub budget_left: f64,
}

/// How long something took, in milliseconds, within a sixteenth; absent where there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpansView {
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ms: Option<f64>,
    /// Half of them took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 95 of 100 took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// 99 of 100 took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}

impl From<&Spans> for SpansView {
    fn from(spans: &Spans) -> Self {
        // To the microsecond.
        let millis = |span: Duration| span.as_micros() as f64 / 1e3;
        Self {
            mean_ms: spans.mean().map(millis),
            p50_ms: spans.quantile(0.5).map(millis),
            p95_ms: spans.quantile(0.95).map(millis),
            p99_ms: spans.quantile(0.99).map(millis),
        }
    }
}

/// What attempts did, window by window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FiguresView {
    /// The step that was asked for: `10s`, `1m`, `15m`, `1h` or `1d`.
    pub step: String,
    /// How long each window is, in seconds.
    #[serde(default)]
    pub step_s: u64,
    /// The oldest first. The last one may be under way.
    pub items: Vec<WindowView>,
}

/// One window of a series.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WindowView {
    /// When it began.
    pub at: Timestamp,
    /// Attempts by how they ended: `completed`, `retried`, `dead`, `cancelled`.
    pub attempts: BTreeMap<String, u64>,
    /// Attempts that failed, by the class of the error.
    pub failures: BTreeMap<String, u64>,
    /// From when a task could start to its start.
    pub wait: SpansView,
    /// From start to end.
    pub run: SpansView,
    /// Starts that were later than promised.
    pub late: u64,
    /// Tasks that were completed after an attempt that had failed.
    pub recovered: u64,
}
