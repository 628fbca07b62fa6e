//! Processes of this machine.

use async_trait::async_trait;
use sysinfo::{MemoryRefreshKind, System};

use super::{Driver, DriverError, Replica, ReplicaId};
use crate::supervise::Supervisor;
use clawpool_core::{scaling::Headroom, task::ProcessId};
use clawpool_engine::process::Shutdown;

/// What one more worker takes, before any has said.
const GUESS: u64 = 64 << 20;
/// Spec S14: what the workers leave to the machine; a fifth of a small one.
const RESERVE: u64 = 2 << 30;

/// Starts and stops the workers that a [`Supervisor`] keeps.
pub struct Processes {
    supervisor: Supervisor,
    shutdown: Shutdown,
}

impl Processes {
    pub fn new(supervisor: Supervisor, shutdown: &Shutdown) -> Self {
        Self { supervisor, shutdown: shutdown.clone() }
    }

    /// What keeps the workers.
    pub const fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Keeps the workers, and returns when this process was told to end and all of them have left.
    pub async fn run(&self) {
        self.supervisor.run(&self.shutdown).await;
    }
}

#[async_trait]
impl Driver for Processes {
    async fn replicas(&self) -> Result<Vec<Replica>, DriverError> {
        let replica = |replica: crate::supervise::ReplicaStatus| Replica {
            id: ReplicaId(replica.worker.to_string()),
            worker: Some(replica.worker),
            host: None,
            draining: replica.draining,
        };
        Ok(self.supervisor.replicas().into_iter().map(replica).collect())
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        self.supervisor.start(count as usize);
        Ok(())
    }

    async fn drain(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        self.supervisor.drain(&workers(replicas));
        Ok(())
    }

    async fn replace(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        self.supervisor.replace(&workers(replicas));
        Ok(())
    }

    fn problem(&self) -> Option<String> {
        let (count, why) = self.supervisor.waiting()?;
        let spec = self.supervisor.pool();
        let pool = &spec.name;
        Some(format!(
            "{count} of its workers do not run: {why}; `clawpool workers restart {pool}` does not wait"
        ))
    }

    fn waiting(&self) -> u32 {
        self.supervisor.waiting().map_or(0, |(count, _)| count)
    }

    fn has_ended(&self, worker: ProcessId) -> bool {
        self.supervisor.has_ended(worker)
    }

    fn headroom(&self) -> Option<Headroom> {
        let mut system = System::new().ok()?;
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let reserve = RESERVE.min(system.total_memory() / 5);
        Some(Headroom {
            free: system.available_memory().saturating_sub(reserve),
            per_worker: self.per_worker(),
        })
    }
}

impl Processes {
    /// The mean of the pool's workers; what the configuration allows, until one has said.
    fn per_worker(&self) -> u64 {
        let seen = self.supervisor.seen().unwrap_or_default();
        let taken: Vec<u64> =
            seen.iter().filter_map(|info| info.beat.usage).map(|usage| usage.memory).collect();
        match u64::try_from(taken.len()) {
            Ok(count @ 1..) => taken.iter().sum::<u64>() / count,
            _ => self.supervisor.pool().recycle.max_memory.unwrap_or(GUESS),
        }
    }
}

/// The worker ids of these replicas. Names of other drivers are left out.
fn workers(replicas: &[ReplicaId]) -> Vec<ProcessId> {
    replicas.iter().filter_map(|replica| replica.0.parse().ok()).collect()
}
