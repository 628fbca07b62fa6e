//! The shapes of answers about what machines did over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_core::{figures::Machine, task::Timestamp};

/// What machines did, window by window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HostSeriesView {
    /// `10s`, `1m` or `15m`.
    pub step: String,
    /// How long each window is, in seconds.
    pub step_s: u64,
    /// One of each machine that was seen in this time, by name.
    pub items: Vec<HostWindowsView>,
}

/// What one machine did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HostWindowsView {
    /// Its name.
    pub host: String,
    /// Those in which it was seen, the oldest first. The last one may be under way.
    pub windows: Vec<HostWindowView>,
}

/// One window of one machine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HostWindowView {
    /// When it began.
    pub at: Timestamp,
    /// Readings that the means are of.
    pub samples: u32,
    /// On average.
    pub machine: Machine,
}
