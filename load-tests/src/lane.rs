//! The lanes, each with its usual priority and the servers behind it.

use std::fmt;

use clawpool_core::task::{Priority, Queue};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Critical,
    High,
    Normal,
    Background,
    /// The normal lane of the embedded profile.
    Embedded,
}

impl Lane {
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Normal, Self::Background, Self::Embedded];

    pub const fn priority(self) -> Priority {
        match self {
            Self::Critical => Priority::P0,
            Self::High => Priority::P2,
            Self::Normal | Self::Embedded => Priority::P4,
            Self::Background => Priority::P6,
        }
    }

    pub const fn queue(self) -> Queue {
        self.priority().queue()
    }

    pub const fn profile(self) -> &'static str {
        if matches!(self, Self::Embedded) { "embedded" } else { "cluster" }
    }

    /// The ceiling that it is compared with.
    pub const fn ceiling(self) -> &'static str {
        match self {
            Self::Critical => "ceiling redis",
            Self::High | Self::Normal | Self::Background => "ceiling rabbitmq quorum",
            Self::Embedded => "ceiling sqlite",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Background => "background",
            Self::Embedded => "embedded",
        })
    }
}
