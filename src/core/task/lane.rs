use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Priority, Queue};

/// What carries a queue: each lane lives on one server, as the section `[lanes]` says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// P0 and P1 by default.
    Critical,
    /// P2 and P3 by default.
    High,
    /// P4 and P5 by default.
    Normal,
    /// P6 by default.
    Background,
}

impl Lane {
    /// Most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Background];

    /// The lane of a priority's own queue.
    pub const fn of(priority: Priority) -> Self {
        match priority {
            Priority::P0 | Priority::P1 => Self::Critical,
            Priority::P2 | Priority::P3 => Self::High,
            Priority::P4 | Priority::P5 => Self::Normal,
            Priority::P6 => Self::Background,
        }
    }

    /// As in configurations: `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Background => "background",
        }
    }

    /// The queues of the priorities that travel on it by default, most urgent first.
    pub fn classes(self) -> impl Iterator<Item = Queue> {
        Queue::CLASSES.into_iter().filter(move |queue| queue.lane() == self)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a text is no lane.
#[derive(Debug, thiserror::Error)]
#[error("unknown lane {0:?}: use critical, high, normal or background")]
pub struct UnknownLane(String);

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|lane| lane.name() == text).ok_or_else(|| UnknownLane(text.to_owned()))
    }
}
