//! Dead letters: tasks that will not run again by themselves, with everything needed to judge them and to run
//! them again.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Page, StoreError};
use clawpool_core::task::{DeadReason, Failure, KindPattern, Message, Priority, TaskId, Timestamp};

#[async_trait]
pub trait DeadStore: Send + Sync + 'static {
    /// Adds letters for messages that the broker gave up, and marks their records dead. A task that is final,
    /// running or at a later generation is left alone.
    async fn add_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), StoreError>;

    /// Latest first.
    async fn dead(
        &self,
        filter: &DeadFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError>;

    async fn dead_letter(&self, id: TaskId) -> Result<Option<DeadLetter>, StoreError>;

    /// Takes letters out and puts `messages` (their next generations, made by the caller) into the schedule
    /// set, due now. Their records count the attempts of the messages and no crashes. A letter whose unique
    /// key another unfinished task has stays: one task of a key at a time, of those in one call too.
    async fn requeue(&self, messages: &[Message]) -> Result<Requeued, StoreError>;

    /// Deletes letters. Their records stay dead. Returns how many there were.
    async fn discard(&self, ids: &[TaskId]) -> Result<u64, StoreError>;
}

/// What became of the letters of a requeue; those that were not there any more count as neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requeued {
    /// On their way again.
    pub taken: u64,
    /// Dead letters still, because another task with their unique key is not finished.
    pub kept: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The task as it was when it died; its `errors` tell every attempt's failure.
    pub message: Message,
    pub kind: String,
    pub tenant: Option<String>,
    pub reason: DeadReason,
    pub failure: Failure,
    pub crashes: u32,
    pub died_at: Timestamp,
}

/// An unknown condition is refused: overlooking one would widen what is requeued or discarded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadFilter {
    /// A kind, or `email.*`.
    pub kind: Option<KindPattern>,
    /// Why they ended.
    pub reason: Option<DeadReason>,
    /// Of this priority.
    pub priority: Option<Priority>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Dead since this time or later.
    pub since: Option<Timestamp>,
    /// Dead before this.
    pub until: Option<Timestamp>,
}

impl DeadFilter {
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        self.reason.is_none_or(|reason| reason == letter.reason)
            && self.priority.is_none_or(|priority| priority == letter.message.priority())
            && self.tenant.as_ref().is_none_or(|tenant| Some(tenant) == letter.tenant.as_ref())
            && self.kind.as_ref().is_none_or(|pattern| pattern.matches(&letter.kind))
            && self.since.is_none_or(|since| letter.died_at >= since)
            && self.until.is_none_or(|until| letter.died_at < until)
    }
}
