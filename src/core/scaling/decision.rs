use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reading;
use crate::{config::Metric, task::millis};

/// What was decided and everything it was decided from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// On the decider's own clock.
    #[serde(rename = "at_ms", alias = "at", with = "millis")]
    #[schemars(with = "u64")]
    pub at: Duration,
    /// What is done now.
    pub action: Action,
    /// The size that the pool should have from now on.
    pub wanted: u32,
    /// What each policy asks for; the largest wish wins.
    pub votes: Vec<Vote>,
    /// What kept the pool from following its votes.
    pub limits: Vec<Limit>,
    /// What people are to be told, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// What was known of the pool.
    pub reading: Reading,
}

/// What a decision does to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    Hold,
    /// Starts workers.
    Grow {
        /// How many.
        by: u32,
    },
    /// Lets workers drain and stop.
    Shrink {
        /// How many.
        by: u32,
    },
    /// Every worker makes room for a new one.
    ReplaceAll,
}

/// One policy's reading and what it asks for; nothing while its threshold is not crossed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vote {
    /// Its name in the configuration, or that of tracking or the forecast.
    pub policy: String,
    /// What it looks at; absent for tracking and the forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// The value that it saw; absent while that is not known.
    pub reading: Option<f64>,
    /// How long the threshold has been crossed.
    #[serde(
        default,
        rename = "lasting_ms",
        alias = "lasting",
        with = "millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<u64>")]
    pub lasting: Option<Duration>,
    /// The size that it asks for.
    pub wants: Option<u32>,
}

/// Why the pool is not of the size that its policies ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Too soon after the last change.
    Cooldown,
    /// As many as may be added within a minute have been.
    Rate,
    /// The pool may not be smaller.
    Min,
    /// The pool may not be larger.
    Max,
    /// The machine has no memory for more.
    Memory,
    /// The broker or the store does not answer: the pool does not shrink.
    Unknown,
}

impl Action {
    pub(super) const fn between(size: u32, wanted: u32) -> Self {
        if wanted > size {
            Self::Grow { by: wanted - size }
        } else if wanted < size {
            Self::Shrink { by: size - wanted }
        } else {
            Self::Hold
        }
    }
}
