//! The Driver seam: starts and stops the workers of one pool. One implementation for processes of this
//! machine, one for containers of a compose service, one for a Kubernetes deployment.
//!
//! Guarantees: a drained replica takes nothing new, finishes what it runs and is not replaced; a replica that
//! ends by itself is (by the driver's own restart policy, or by the engine's). Never does: decide how many
//! there should be, or which go.

#[cfg(feature = "docker")]
pub mod docker;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
mod open;
mod process;

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use clawpool_core::{scaling::Headroom, task::ProcessId};

pub use open::open;
pub use process::Processes;

#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// All replicas that this driver runs for the pool, at this moment.
    async fn replicas(&self) -> Result<Vec<Replica>, DriverError>;

    /// Starts this many more. Returns when they are on their way, not when they work.
    async fn start(&self, count: u32) -> Result<(), DriverError>;

    /// Lets these replicas finish what they run and leave. Returns when they have been told.
    async fn drain(&self, replicas: &[ReplicaId]) -> Result<(), DriverError>;

    /// The emergency: ends these replicas now and starts as many anew.
    async fn replace(&self, replicas: &[ReplicaId]) -> Result<(), DriverError>;

    /// What keeps replicas from working, as last seen, and how to mend it.
    fn problem(&self) -> Option<String> {
        None
    }

    /// Replicas for which nothing runs: they wait for their start, longer than a start takes.
    fn waiting(&self) -> u32 {
        0
    }

    /// Whether this worker was one of the pool's and is known to be dead. The registry may still show it
    /// alive.
    fn has_ended(&self, _: ProcessId) -> bool {
        false
    }

    /// Memory that the pool's workers share. `None` where they run on other machines.
    fn headroom(&self) -> Option<Headroom> {
        None
    }
}

/// A driver's own name for a worker: its worker id, its container, its pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReplicaId(pub String);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    pub id: ReplicaId,
    /// Under which it registers or will register, where the driver knows it.
    pub worker: Option<ProcessId>,
    /// The host name under which it registers, where the driver knows that instead: a container's, a pod's.
    pub host: Option<String>,
    /// It was told to leave.
    pub draining: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error("the {driver} driver does not answer: {reason}")]
    Unavailable { driver: &'static str, reason: String },
    #[error("the {driver} driver cannot serve pool {pool:?}: {reason}")]
    Refused { driver: &'static str, pool: String, reason: String },
}

impl DriverError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "CP-1601",
            Self::Refused { .. } => "CP-1602",
        }
    }

    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// An error with its causes: the clients' outer errors alone say little more than "client error (Connect)".
#[cfg(any(feature = "docker", feature = "kubernetes"))]
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = chain.map(ToString::to_string).collect();
    texts.dedup_by(|inner, outer| outer.contains(inner.as_str()));
    texts.join(": ")
}
