//! The section `[lanes]`. Any combination works, so there is nothing to check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::Lane;

/// Which server carries each lane in the cluster profile (spec S2).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lanes {
    /// P0 and P1; Redis by default, which hands over in well under a millisecond.
    pub critical: Backend,
    /// P2 and P3; RabbitMQ by default.
    pub high: Backend,
    /// P4 and P5; RabbitMQ by default.
    pub normal: Backend,
    /// P6; RabbitMQ by default.
    pub background: Backend,
}

/// A server that carries queues in the cluster profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// The one of the section `[redis]`.
    Redis,
    /// The one of the section `[rabbitmq]`.
    Rabbitmq,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            critical: Backend::Redis,
            high: Backend::Rabbitmq,
            normal: Backend::Rabbitmq,
            background: Backend::Rabbitmq,
        }
    }
}

impl Lanes {
    /// The server that carries a lane.
    pub const fn backend(&self, lane: Lane) -> Backend {
        match lane {
            Lane::Critical => self.critical,
            Lane::High => self.high,
            Lane::Normal => self.normal,
            Lane::Background => self.background,
        }
    }
}
