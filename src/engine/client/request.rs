use std::time::Duration;

use serde::{Deserialize, Serialize};

use clawpool_backends::store::DeadFilter;
use clawpool_core::task::{TaskId, span};

/// A size asked for, and for how long it holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// In workers.
    pub size: u32,
    /// In JSON `for`: text such as `1h`.
    #[serde(default = "Scale::hour", rename = "for", with = "span")]
    pub keep: Duration,
}

impl Scale {
    /// How long a size holds where the request does not say.
    pub const fn hour() -> Duration {
        Duration::from_secs(3600)
    }
}

/// Which dead letters a change is for. Exactly one of the three, so that nothing is thrown away by leaving a
/// field out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// These.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<TaskId>>,
    /// All that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<DeadFilter>,
    /// Every one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}
