//! Processes of this machine.

use std::sync::Arc;

use async_trait::async_trait;
use sysinfo::{MemoryRefreshKind, System};

use super::{Driver, DriverError, Member, MemberId};
use crate::{autoscale::policy::Headroom, supervise::Children, task::WorkerId};

/// What one more worker takes, before any has said.
const GUESS: u64 = 64 << 20;
/// Spec S14: what the workers leave to the machine; a fifth of a small one.
const RESERVE: u64 = 2 << 30;

/// Starts and stops the workers that a [`Children`] keeps.
pub struct Process(pub Arc<Children>);

#[async_trait]
impl Driver for Process {
    async fn members(&self) -> Result<Vec<Member>, DriverError> {
        let member = |member: crate::supervise::Member| Member {
            id: MemberId(member.worker.to_string()),
            worker: Some(member.worker),
            host: None,
            draining: member.draining,
        };
        Ok(self.0.members().into_iter().map(member).collect())
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        self.0.start(count as usize);
        Ok(())
    }

    async fn drain(&self, members: &[MemberId]) -> Result<(), DriverError> {
        self.0.drain(&workers(members));
        Ok(())
    }

    async fn replace(&self, members: &[MemberId]) -> Result<(), DriverError> {
        self.0.replace(&workers(members));
        Ok(())
    }

    fn headroom(&self) -> Option<Headroom> {
        let mut system = System::new().ok()?;
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let reserve = RESERVE.min(system.total_memory() / 5);
        Some(Headroom { free: system.available_memory().saturating_sub(reserve), per_worker: self.per_worker() })
    }
}

impl Process {
    /// The mean of the pool's workers; what the configuration allows, until one has said.
    fn per_worker(&self) -> u64 {
        let seen = self.0.seen().unwrap_or_default();
        let taken: Vec<u64> = seen.iter().filter_map(|info| info.beat.usage).map(|usage| usage.memory).collect();
        match u64::try_from(taken.len()) {
            Ok(count @ 1..) => taken.iter().sum::<u64>() / count,
            _ => self.0.pool().recycle.max_memory.unwrap_or(GUESS),
        }
    }
}

/// A name that is none of this driver's names nobody, as does a worker's that has left.
fn workers(members: &[MemberId]) -> Vec<WorkerId> {
    members.iter().filter_map(|member| member.0.parse().ok()).collect()
}
