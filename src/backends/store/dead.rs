//! Dead letters: tasks that will not run again by themselves, with everything needed to judge them and to run
//! them again.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LOOKED_AT, LOOKED_AT_BYTES, Page, StoreError};
use clawpool_core::task::{DeadReason, Failure, Inside, KindPattern, Message, Priority, TaskId, Timestamp};

#[async_trait]
pub trait DeadStore: Send + Sync + 'static {
    /// Adds letters for messages that the broker gave up, and marks their records dead. A task that is final,
    /// running or at a later generation is left alone.
    async fn add_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), StoreError>;

    /// Latest first. Looks at [`LOOKED_AT`](super::LOOKED_AT) letters at most, and at 16 MiB of them, so
    /// that a page may have fewer entries than `limit` and still go on.
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
    /// Of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A name that `meta` has, or `name=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Somewhere in payload or `meta`; capitals are as small letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
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
            && self.matches_inside(letter)
    }

    /// What is looked for inside of the tasks.
    pub fn inside(&self) -> Inside {
        Inside { session: self.session.clone(), tag: self.tag.clone(), text: self.text.clone() }
    }

    /// A message that is no task has nothing inside.
    pub(super) fn matches_inside(&self, letter: &DeadLetter) -> bool {
        let inside = self.inside();
        inside.is_empty() || letter.message.task().is_ok_and(|task| inside.matches_task(&task))
    }
}

/// What one page may still look at.
pub(super) struct Budget {
    looked_at: usize,
    bytes: usize,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { looked_at: 0, bytes: LOOKED_AT_BYTES }
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.looked_at >= LOOKED_AT || self.bytes == 0
    }

    /// One more was looked at, of so many bytes.
    pub(super) const fn spend(&mut self, bytes: usize) {
        self.looked_at += 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) const fn page<T>(&self, items: Vec<T>, next: Option<String>) -> Page<T> {
        Page { items, next, looked_at: Some(self.looked_at) }
    }
}
