use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Priority;

/// One physical queue of a broker. A lane of spec S2 is one or two of them: critical is `critical.p0` and
/// `critical.p1`, high is one priority queue, normal is `normal.p4` and `normal.p5`, background is one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Queue {
    /// `critical.p0`
    #[serde(rename = "critical.p0")]
    P0,
    /// `critical.p1`
    #[serde(rename = "critical.p1")]
    P1,
    /// P2 and P3; a broker hands out every ready P2 before a P3.
    #[serde(rename = "high")]
    High,
    /// `normal.p4`
    #[serde(rename = "normal.p4")]
    P4,
    /// `normal.p5`
    #[serde(rename = "normal.p5")]
    P5,
    /// `background`, for P6.
    #[serde(rename = "background")]
    Background,
}

impl Queue {
    /// Most urgent first.
    pub const ALL: [Self; 6] = [Self::P0, Self::P1, Self::High, Self::P4, Self::P5, Self::Background];

    /// 0 for the most urgent, to 5: its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// As in configurations and brokers: `critical.p0`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P0 => "critical.p0",
            Self::P1 => "critical.p1",
            Self::High => "high",
            Self::P4 => "normal.p4",
            Self::P5 => "normal.p5",
            Self::Background => "background",
        }
    }

    /// The priorities that travel on this queue, most urgent first.
    pub fn priorities(self) -> impl Iterator<Item = Priority> {
        Priority::ALL.into_iter().filter(move |priority| priority.queue() == self)
    }

    /// P0 and P1: work that a waiting human hears.
    pub const fn is_critical(self) -> bool {
        matches!(self, Self::P0 | Self::P1)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown queue {0:?}: use critical.p0, critical.p1, high, normal.p4, normal.p5 or background")]
pub struct UnknownQueue(String);

impl FromStr for Queue {
    type Err = UnknownQueue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|queue| queue.name() == text).ok_or_else(|| UnknownQueue(text.to_owned()))
    }
}
