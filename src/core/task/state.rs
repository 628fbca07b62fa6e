use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeadReason, Failure, Message, Payload, Timestamp};

/// Where a task is in its life (the diagram in ARCHITECTURE.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In the schedule set: delayed by its producer, or waiting for its next attempt.
    Scheduled,
    /// On its queue.
    Queued,
    /// Claimed by a worker, which runs it.
    Running,
    /// Its handler succeeded; the result is kept for a while.
    Completed,
    /// Among the dead letters.
    Dead,
    /// Its producer or an operator stopped it.
    Cancelled,
}

impl State {
    /// In the order of a task's life.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Queued, Self::Running, Self::Completed, Self::Dead, Self::Cancelled];

    /// Whether nothing more happens to the task by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Dead | Self::Cancelled)
    }

    /// As in JSON and in filters: `queued`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown state {0:?}: use scheduled, queued, running, completed, dead or cancelled")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// How one attempt ended, as decided by the worker that ran it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Succeeded, with this result.
    Completed(Payload),
    /// Failed; to start again at `at`.
    Retry {
        /// Why.
        failure: Failure,
        /// When it may start again.
        at: Timestamp,
    },
    /// Failed for good.
    Dead {
        /// Which end it came to.
        reason: DeadReason,
        /// Why the last attempt failed.
        failure: Failure,
    },
    /// The handler stopped because the task was cancelled.
    Cancelled,
    /// Given back without an attempt: the worker is leaving, or had claimed more than it could start.
    Released,
    /// The same, but it comes back later: no handler is here, or an earlier run of it has not ended.
    PutOff {
        /// As it is to be read next.
        message: Message,
        /// When it may start.
        at: Timestamp,
    },
}
