use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secret::redacted;
use crate::task::{Queue, span};

/// The embedded profile's file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Embedded {
    /// The folder for `clawpool.db`; made when missing.
    pub data: PathBuf,
    pub synchronous: Synchronous,
}

impl Default for Embedded {
    fn default() -> Self {
        Self { data: "clawpool-data".into(), synchronous: Synchronous::Full }
    }
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// Loss of power.
    Full,
    /// The death of any process, but not loss of power in the last moment. Faster.
    Normal,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// `redis://[user:password@]host:port/db`, or `rediss://` for TLS.
    #[serde(serialize_with = "redacted")]
    #[schemars(with = "String")]
    pub url: SecretString,
    /// Names every key, in one hash slot: `{prefix}:…`.
    pub prefix: String,
    /// A command that takes longer fails.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379/0".into(),
            prefix: "clawpool".into(),
            timeout: Duration::from_secs(5),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rabbitmq {
    /// `amqp://user:password@host:port/vhost`
    #[serde(serialize_with = "redacted")]
    #[schemars(with = "String")]
    pub url: SecretString,
    /// Names every queue and exchange: `prefix.v1.high`, `prefix.ingress`.
    pub prefix: String,
    /// AMQP heartbeat; a hung peer is noticed after two.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub heartbeat: Duration,
    /// How long a publish waits for its confirm.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub confirm_timeout: Duration,
    /// Messages on their way to one consumer at most.
    pub prefetch: u16,
}

impl Default for Rabbitmq {
    fn default() -> Self {
        Self {
            url: "amqp://guest:guest@127.0.0.1:5672/%2f".into(),
            prefix: "clawpool".into(),
            heartbeat: Duration::from_secs(2),
            confirm_timeout: Duration::from_secs(5),
            prefetch: 256,
        }
    }
}

/// Which server carries each lane in the cluster profile (spec S2).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lanes {
    pub critical: Backend,
    pub high: Backend,
    pub normal: Backend,
    pub background: Backend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    Redis,
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
    pub const fn backend(&self, queue: Queue) -> Backend {
        match queue {
            Queue::P0 | Queue::P1 => self.critical,
            Queue::High => self.high,
            Queue::P4 | Queue::P5 => self.normal,
            Queue::Background => self.background,
        }
    }
}
