use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_core::{
    config::ForecastMode,
    scaling::{Accuracy, Decision},
    task::{ProcessId, Timestamp},
};

/// What an autoscaler last saw and decided, kept as a note.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PoolStatus {
    /// Its name in the configuration.
    pub pool: String,
    /// When the autoscaler looked.
    pub at: Timestamp,
    /// The autoscaler that says so.
    pub by: ProcessId,
    /// It decides and changes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Workers that run or start.
    pub current: u32,
    /// Workers that are leaving.
    pub draining: u32,
    /// Workers that there should be.
    pub wanted: u32,
    /// What decided `wanted`.
    pub cause: Cause,
    /// Bounds of the configuration, in workers.
    pub min: u32,
    /// See `min`.
    pub max: u32,
    /// An operator asked to leave the size alone.
    pub paused: bool,
    /// The size that an operator asked for, while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<Manual>,
    /// What keeps the autoscaler from knowing or acting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Absent where the pool forecasts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastStatus>,
    /// What has been changed so far.
    pub counts: Counts,
    /// What the policies answered, obeyed or not.
    pub decision: Decision,
}

impl PoolStatus {
    /// Where the store keeps it: of leaders, and of dry runs beside them.
    pub const NOTES: &'static str = "autoscale/status/";
    /// See [`NOTES`](Self::NOTES).
    pub const DRY_NOTES: &'static str = "autoscale/trial/";
}

/// What decided the wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The policies of the configuration, within bounds and rates.
    Policies,
    /// An operator asked for the size.
    Manual,
    /// An operator asked to leave the size alone.
    Paused,
    /// The size that the former leader had reached.
    Takeover,
    /// Too little is known to shrink.
    Unknown,
}

/// Changes of a pool since its first autoscaler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Decisions that made it larger.
    pub grown: u64,
    /// Decisions that made it smaller.
    pub shrunk: u64,
    /// Decisions that replaced workers: emergencies.
    pub replaced: u64,
    /// Workers started and drained by them.
    pub started: u64,
    /// Workers that were told to leave.
    pub drained: u64,
}

/// An entry of the journal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The autoscaler that decided.
    pub by: ProcessId,
    /// It was written down and not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Workers before.
    pub from: u32,
    /// Workers wanted.
    pub to: u32,
    /// What decided the size.
    pub cause: Cause,
    /// The reading, every vote and every limit.
    pub decision: Decision,
}

/// A size that an operator chose. It holds until the store forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manual {
    /// In workers; the bounds of the pool still hold.
    pub size: u32,
    /// When the policies decide again.
    pub until: Timestamp,
}

/// What a forecast knows and says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForecastStatus {
    /// Whether it acts or is only watched.
    pub mode: ForecastMode,
    /// Readings that it has learned from so far.
    pub samples: usize,
    /// Arrivals a second within the horizon, at most.
    #[serde(default, rename = "peak_per_second", alias = "peak", skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
    /// Absent until enough forecasts could be held against what came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
}
