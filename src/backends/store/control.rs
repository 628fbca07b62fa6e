//! Leadership, pauses, pacing and totals: the small shared facts that steer a pool.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StoreError;
use clawpool_core::task::{ProcessId, Queue};

#[async_trait]
pub trait ControlStore: Send + Sync + 'static {
    /// Takes or renews leadership of a role for `lease`. `None` while another process holds it. Renewing
    /// keeps the fence; taking it anew raises it.
    async fn lead(&self, role: Role, who: ProcessId, lease: Duration) -> Result<Option<Fence>, StoreError>;

    /// Gives leadership up, so that the next one need not wait for the lease to end.
    async fn resign(&self, fence: Fence) -> Result<(), StoreError>;

    /// Stops (or starts again) the delivery of a queue's tasks. Workers learn of it with their next beat.
    async fn set_paused(&self, queue: Queue, paused: bool) -> Result<(), StoreError>;

    async fn paused(&self) -> Result<Vec<Queue>, StoreError>;

    /// Takes up to `want` tokens from a bucket that refills at `per_second` up to `burst`. Returns how many
    /// it got, and how long until the next one.
    async fn take_tokens(
        &self,
        bucket: &str,
        want: u32,
        per_second: f64,
        burst: u32,
    ) -> Result<(u32, Duration), StoreError>;

    /// What happened on each queue that had a task, counted by admit, claim and settle.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// Writes something small: whether the store takes writes now.
    async fn probe(&self) -> Result<(), StoreError>;
}

/// Work that only one process may do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Promotes due tasks, reaps dead workers, collects what the broker gave up.
    #[serde(rename = "steward")]
    Maintenance,
    /// Decides how large the pools are.
    Autoscaler,
}

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Maintenance => "steward",
            Self::Autoscaler => "autoscaler",
        }
    }
}

/// Proof of leadership; a write with an older number than the current one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    pub role: Role,
    pub number: u64,
}

/// Of each queue that had a task.
pub type Totals = BTreeMap<Queue, QueueTotals>;

/// Totals since the store was made, and rates over the last full minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueTotals {
    /// Tasks that came.
    pub enqueued: u64,
    /// Tasks that succeeded.
    pub completed: u64,
    /// Attempts that failed and were tried again.
    pub retried: u64,
    /// Tasks that became dead letters.
    pub dead: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Tasks a second.
    #[serde(rename = "enqueued_per_second", alias = "enqueue_rate")]
    pub enqueue_rate: f64,
    /// Tasks a second that ended.
    #[serde(rename = "finished_per_second", alias = "finish_rate")]
    pub finish_rate: f64,
}

impl QueueTotals {
    /// Tasks that were enqueued there and have not ended, wherever they are now.
    pub const fn unfinished(&self) -> u64 {
        self.enqueued.saturating_sub(self.completed + self.dead + self.cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leases and journals of earlier versions have these names.
    #[test]
    fn roles_keep_their_stored_names() {
        for (role, name) in [(Role::Maintenance, "steward"), (Role::Autoscaler, "autoscaler")] {
            assert_eq!(role.name(), name);
            assert_eq!(serde_json::to_value(role).unwrap(), name);
            assert_eq!(serde_json::from_value::<Role>(name.into()).unwrap(), role);
        }
    }
}
