//! The shapes of answers about how a dispatcher is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alert::Event;
use clawpool_core::{
    config::{Layer, ProbeClass},
    task::Timestamp,
};

/// The answer of `/health`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthView {
    /// `unhealthy` and `starting` come with HTTP status 503.
    pub status: Status,
    /// This incarnation of the dispatcher; another after each start.
    pub instance_id: String,
    /// Of the program.
    pub version: String,
    /// When it was answered.
    pub timestamp: Timestamp,
    /// How the broker, the store, each server by its name and each probe stand: `up`, `degraded`, `down` or
    /// `unknown`; behind a colon the reason.
    pub services: BTreeMap<String, String>,
    /// Absent while starting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<HealthMetrics>,
    /// Absent while starting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loops: Option<LoopsView>,
    /// What the probes of the configuration have shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeView>,
    /// How long ago this was found. Absent while starting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// What is wrong, as the last look of this process found it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonView>,
    /// Starting: the server that is not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

/// Of the machine and of this process.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HealthMetrics {
    /// Of all processors; null where the system does not tell, as the next two.
    pub cpu_percent: Option<f64>,
    /// Of the machine's memory.
    pub memory_percent: Option<f64>,
    /// Of the disk that the dispatcher writes to.
    pub disk_percent: Option<f64>,
    /// Of HTTP clients.
    pub active_connections: u64,
    /// Tasks that wait, on all queues together; null where that is not known.
    pub queue_depth: Option<u64>,
}

/// The loops of a dispatcher: its own watch, the election of the one that leads, and where it leads the
/// promoter, the reaper, the collector, the searches and the summing up of figures.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LoopsView {
    /// How many there are now.
    pub running: usize,
    /// How many of them turn.
    pub healthy: usize,
    /// The others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
}

/// One probe, as its last looks found it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProbeView {
    /// As in the configuration.
    pub name: String,
    /// How it is looked at.
    pub layer: Layer,
    /// How much depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ProbeClass>,
    /// `up`, `degraded`, `down` or `unknown`.
    pub state: String,
    /// Looks in turn that have failed.
    pub failures: u32,
    /// What the last look took; null where it failed.
    pub took_ms: Option<u64>,
    /// When that was; null before the first one.
    pub checked_at: Option<Timestamp>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadyView {
    /// Tasks are taken. Else the status is 503.
    pub ready: bool,
    /// What takes none; where it is ready, what takes none of some queues.
    pub reasons: Vec<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReasonView {
    /// A server, a service, a queue or a loop.
    pub subject: String,
    /// Which event.
    pub event: Event,
    /// For `clawpool explain`.
    pub code: String,
    /// Left out where requests need a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When it was first seen.
    pub since: Timestamp,
}

/// How a dispatcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A server that it needs is not there yet.
    Starting,
    /// Tasks are taken and handed out.
    Healthy,
    /// It answers, and something keeps tasks from their way.
    Degraded,
    /// The store or every broker is silent and no task is taken; or tasks that could start do not; or a
    /// critical service is down.
    Unhealthy,
}
