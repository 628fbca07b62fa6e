use std::{net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{secret::hidden, size};
use crate::task::span;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Where HTTP is served. An address beyond loopback needs `tokens`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Connections at a time. Fewer where the system allows few open files: some are kept for workers.
    pub connections: u32,
    /// Who may call, when other than local processes can. Empty on loopback: every caller may do everything.
    pub tokens: Vec<Token>,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7070)), connections: 10_000, tokens: Vec::new() }
    }
}

/// A bearer token and what it allows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub name: String,
    /// The token itself, or `env:NAME`, or `file:PATH`.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "String")]
    pub secret: SecretString,
    pub scopes: Vec<Scope>,
    /// Only for tasks of these tenants. Empty: for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Add tasks, read and cancel the token's own.
    Enqueue,
    /// Choose a task's priority.
    Priority,
    /// Look at everything.
    Read,
    /// Pause, drain, requeue, discard.
    Admin,
}

/// What is refused at the door (design §4).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of one task's payload, as MessagePack.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub payload: ByteSize,
    /// Nesting of a payload.
    pub depth: u16,
    /// How far ahead a task may be planned.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub delay: Duration,
    /// How long a task may ask to wait for its start.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub ttl: Duration,
    /// How long a task may ask one attempt to run.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How many attempts a task may ask for.
    pub attempts: u32,
    /// How long a task may ask its result to be kept.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub result_ttl: Duration,
    /// Bytes of a kind, tenant, session or unique key.
    pub name: u16,
    /// Tasks in one request.
    pub batch: u16,
    /// Of one handler's result.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub result: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        // What humantime calls "1year".
        const YEAR: Duration = Duration::from_secs(31_557_600);
        Self {
            payload: ByteSize::kib(256),
            depth: 64,
            delay: YEAR,
            ttl: YEAR,
            timeout: DAY,
            attempts: 100,
            result_ttl: 30 * DAY,
            name: 128,
            batch: 1000,
            result: ByteSize::mib(1),
        }
    }
}
