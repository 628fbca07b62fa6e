//! The schedule set: messages that are not to be delivered yet. Delays, retries and re-checks wait here,
//! never in a worker's memory. Entries are keyed by id and generation; a leader promotes the due ones to
//! their queues.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fence, Page, StoreError};
use clawpool_core::task::{Message, Priority, Queue, TaskId, Timestamp};

#[async_trait]
pub trait ScheduleStore: Send + Sync + 'static {
    /// Adds messages to the set, or moves them to a new time. Leaves the task records as they are. What
    /// is held for a worker that is dead by now is due at once.
    async fn schedule(&self, entries: &[Scheduled]) -> Result<(), StoreError>;

    /// Up to `limit` entries that are due, earliest first, without removing them; and when the next one after
    /// them is due.
    async fn due(&self, fence: Fence, limit: usize) -> Result<Due, StoreError>;

    /// Removes entries that are on their queues now; the records still scheduled at that generation become
    /// queued. An entry that was scheduled again after `due` gave it stays.
    async fn promoted(&self, fence: Fence, entries: &[(TaskId, u32)]) -> Result<(), StoreError>;

    /// Returns when an entry may be due: at `next`, as soon as an earlier one was added, or after a few
    /// seconds, for news may get lost. Does not poll.
    async fn wait_due(&self, next: Option<Timestamp>) -> Result<(), StoreError>;

    /// Makes one task's entry due now. False when it has none.
    async fn run_now(&self, id: TaskId) -> Result<bool, StoreError>;

    /// The message of an entry, if there is one.
    async fn entry(&self, id: TaskId, generation: u32) -> Result<Option<Message>, StoreError>;

    /// The entries, earliest first.
    async fn scheduled(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ScheduledTask>, StoreError>;
}

#[derive(Clone, Debug)]
pub struct Scheduled {
    pub message: Message,
    pub at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Due {
    pub messages: Vec<Message>,
    pub next: Option<Timestamp>,
}

/// A line of the listing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScheduledTask {
    /// Of the task.
    pub id: TaskId,
    /// How often it was put on its way before.
    pub generation: u32,
    /// That of its queue.
    pub priority: Priority,
    /// Where it will wait.
    pub queue: Queue,
    /// When it is due.
    pub at: Timestamp,
}
