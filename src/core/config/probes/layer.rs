//! How deep a probe looks, and how often: the defaults of a probe.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From a connection to a whole piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// A connection can be made.
    Tcp,
    /// A web server answers with a good status.
    Http,
    /// A name leads to an address.
    Dns,
    /// A program ends with code 0.
    Exec,
    /// A web service says of itself that it is well.
    Application,
    /// A longer check: other probes one after the other, a program, or a web service.
    Deep,
}

/// How much depends on what is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeClass {
    /// Without it the pool does not do its work.
    Critical,
    /// A part of the work is not done.
    Standard,
    /// Good to know.
    Extended,
}

impl Layer {
    /// Of one that names no class: the figures of tcp are those of dns, and those of application exec's.
    pub(super) const fn interval(self) -> Duration {
        Duration::from_secs(match self {
            Self::Tcp | Self::Dns => 5,
            Self::Http => 10,
            Self::Application | Self::Exec => 30,
            Self::Deep => 60,
        })
    }

    pub(super) const fn timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::Tcp | Self::Dns => 2,
            Self::Http => 5,
            Self::Application | Self::Exec => 10,
            Self::Deep => 30,
        })
    }

    pub(super) const fn failures(self) -> u32 {
        match self {
            Self::Tcp | Self::Dns | Self::Http => 3,
            Self::Application | Self::Exec => 2,
            Self::Deep => 1,
        }
    }

    pub(super) const fn slow(self) -> Option<Duration> {
        match self {
            Self::Tcp | Self::Dns | Self::Http => Some(Duration::from_millis(200)),
            Self::Application | Self::Exec | Self::Deep => None,
        }
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Exec => "exec",
            Self::Application => "application",
            Self::Deep => "deep",
        }
    }
}

impl ProbeClass {
    pub(super) const fn interval(self) -> Duration {
        Duration::from_secs(match self {
            Self::Critical => 5,
            Self::Standard => 30,
            Self::Extended => 300,
        })
    }
}
