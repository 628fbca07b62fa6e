//! How a server or a service stands, from what it answered.

use std::fmt::{self, Display};

use clawpool_backends::{broker::BrokerError, store::StoreError};

/// What the last look has shown; with the reason, which may hold addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Up,
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// It answers, and does not do what it is there for.
    Degraded(String),
    Down(String),
}

impl Standing {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Degraded(_) => "degraded",
            Self::Down(_) => "down",
        }
    }

    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Up | Self::Unknown => None,
            Self::Degraded(reason) | Self::Down(reason) => Some(reason),
        }
    }

    /// With the reason, where the reader may know it.
    pub fn told(&self, in_full: bool) -> String {
        if in_full { self.to_string() } else { self.word().to_owned() }
    }

    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }

    pub const fn is_down(&self) -> bool {
        matches!(self, Self::Down(_))
    }
}

impl Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        self.reason().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

impl From<Result<(), StoreError>> for Standing {
    fn from(answer: Result<(), StoreError>) -> Self {
        match answer {
            Ok(()) => Self::Up,
            Err(error @ StoreError::Blocked { .. }) => Self::Degraded(error.to_string()),
            Err(error) => Self::Down(error.to_string()),
        }
    }
}

impl From<Result<(), BrokerError>> for Standing {
    fn from(answer: Result<(), BrokerError>) -> Self {
        match answer {
            Ok(()) => Self::Up,
            Err(error @ BrokerError::Blocked { .. }) => Self::Degraded(error.to_string()),
            Err(error) => Self::Down(error.to_string()),
        }
    }
}
