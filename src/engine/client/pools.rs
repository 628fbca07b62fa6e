use serde::{Deserialize, Serialize};

use clawpool_core::{
    config::ForecastMode,
    scaling::{Accuracy, Decision},
    task::{ProcessId, Timestamp},
};

/// What an autoscaler last saw and decided, kept as a note.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolStatus {
    pub pool: String,
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
    pub wanted: u32,
    pub cause: Cause,
    pub min: u32,
    pub max: u32,
    pub paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<Manual>,
    /// What keeps the autoscaler from knowing or acting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastStatus>,
    pub counts: Counts,
    /// What the policies answered, obeyed or not.
    pub decision: Decision,
}

impl PoolStatus {
    /// Where the store keeps it: of leaders, and of dry runs beside them.
    pub const NOTES: &'static str = "autoscale/status/";
    pub const DRY_NOTES: &'static str = "autoscale/trial/";
}

/// What decided the wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Decisions that made it larger.
    pub grown: u64,
    pub shrunk: u64,
    pub replaced: u64,
    /// Workers started and drained by them.
    pub started: u64,
    pub drained: u64,
}

/// An entry of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    pub by: ProcessId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    pub from: u32,
    pub to: u32,
    pub cause: Cause,
    pub decision: Decision,
}

/// A size that an operator chose. It holds until the store forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manual {
    pub size: u32,
    pub until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastStatus {
    pub mode: ForecastMode,
    pub samples: usize,
    /// Arrivals a second within the horizon, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
    /// Absent until enough forecasts could be held against what came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
}
