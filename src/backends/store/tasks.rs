//! Task records: one small record a task, from its acceptance until its result is forgotten. The record, not
//! the message, says whether a task may run: a worker claims it here before every start and settles it here
//! before it acknowledges.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counters, DeadLetter, Page, StoreError};
use crate::backend::Unreadable;
use clawpool_core::task::{
    Failure, Fingerprint, IdEnd, KindPattern, Message, Payload, Priority, ProcessId, Queue, State, Story,
    TaskId, Timestamp,
};

#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Records new tasks before they are published. One answer each, in order.
    ///
    /// A task with `at` goes into the schedule set in the same step. A known id, or a unique key whose task
    /// is not finished, answers with the task that is there already.
    async fn admit(&self, tasks: &[Admission]) -> Result<Vec<Admitted>, StoreError>;

    /// Takes back tasks (and their unique keys) that were admitted and then could not be published. One
    /// answer each, in order. A message that turns up all the same is dropped at its claim, until the time
    /// that the withdrawal names; the id can be admitted again, and then its messages run.
    async fn withdraw(&self, tasks: &[Withdrawal]) -> Result<Vec<Withdrawn>, StoreError>;

    /// A task that waits on its queue was enqueued once more and accepted, so it is not withdrawn any more.
    /// False where none waits.
    async fn confirm(&self, id: TaskId) -> Result<bool, StoreError>;

    /// Tasks that wait on a queue wait on this one from now on; the caller sees to their messages. One answer
    /// each, in order: false where the task does not wait at the generation of its message.
    async fn move_to(&self, messages: &[Message], queue: Queue) -> Result<Vec<bool>, StoreError>;

    /// Asks to run delivered messages, each exactly once. One answer each, in order.
    ///
    /// - no record, or one at an older generation, or queued/scheduled at this generation: `Run`, with a new
    ///   token.
    /// - final, at a later generation, or withdrawn: `Drop`.
    /// - running at this generation: `Held` while its owner beats; when the owner's lease has ended
    ///   (`WorkerStore::end_lease` or silence for the lease), or when `takeover` is set and the owner was
    ///   silent for one and a half heartbeats: the owner's lease is ended if that was not done, the claim
    ///   passes over, the old owner is told (`Orders::lost`), and the answer is `Run`, or `Poison` when the
    ///   task bears too much of the blame (`retry::share_blame`).
    /// - running since the same worker claimed it with the same `ticket`: the same answer again.
    /// - of a dead worker, before its time or beside others from which it is to start apart (`retry::hold`):
    ///   `Held`, and nothing changes. So a poison task is found, and its bystanders are not taken for poison
    ///   themselves.
    async fn claim(
        &self,
        worker: ProcessId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<ClaimOutcome>, StoreError>;

    /// Records how claimed attempts ended. One answer each, in order: false where the token is no longer the
    /// latest, in which case nothing changed and the message must be acknowledged all the same.
    async fn settle(&self, worker: ProcessId, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError>;

    /// Cancels a task: at once when it waits, by telling its worker (`Orders::cancel`) when it runs. A task
    /// that was told so never starts again: a retry, a release or a lost worker ends it as cancelled.
    async fn cancel(&self, id: TaskId) -> Result<Cancelled, StoreError>;

    /// What a dead worker ran is shown as queued until another one takes it.
    async fn record(&self, id: TaskId) -> Result<Option<Record>, StoreError>;

    /// Waits until the task is final, at most `timeout`, without polling; then its record as it stands.
    async fn wait(&self, id: TaskId, timeout: Duration) -> Result<Option<Record>, StoreError>;

    /// Records, each at least once, the latest first: by their ids, which begin with the time of their
    /// making, or by when they came. What came before the last `results.ttl` may follow in any order: Redis
    /// walks its keys for it, and may show one twice. A page costs a bounded number of reads, so that it may
    /// have fewer entries than `limit` and still go on. `cursor` is the `next` of the page before, or the
    /// `after` of one of its records.
    async fn look(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Looked, StoreError>;

    /// The same without the places between the records.
    async fn records(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>, StoreError> {
        let Looked { items, next, looked_at } = self.look(filter, cursor, limit).await?;
        let items = items.into_iter().map(|seen| seen.record).collect();
        Ok(Page { items, next, looked_at: Some(looked_at) })
    }

    /// The tasks whose ids end so, of the [`ENDS_LOOKED_AT`] that came last and of as many dead letters that
    /// did. At most [`ENDS_TOLD`].
    async fn ending_in(&self, end: &IdEnd) -> Result<Vec<TaskId>, StoreError>;

    /// Sends waiting tasks to other queues: each of the messages is its task's next generation, for the queue
    /// that it is to wait on. In one step the record comes to that generation and that queue, and the message
    /// into the schedule set, due now, or when its task was due before; what is left of an older generation
    /// is dropped at its claim. One answer each, in order: false where the task does not wait at the
    /// generation before, in which case nothing changed.
    async fn reroute(&self, messages: &[Message]) -> Result<Vec<bool>, StoreError>;

    /// One step of a slow walk over all tasks that are not over: what the record of each says, and whether
    /// the schedule set has its message. Looks at about `limit` records, so that a page may be empty and
    /// still go on.
    async fn unfinished(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<UnfinishedTask>, StoreError>;

    /// What could not be read, some at a time: whatever any method of a store or of a broker beside it has
    /// met and set aside. A task whose record was set aside is unknown. Forgets those in `told` first.
    async fn unreadable(&self, told: &[Unreadable]) -> Result<Vec<Unreadable>, StoreError>;
}

/// Records that are looked at for one page: a filter that few match makes a short page that goes on.
pub const LOOKED_AT: usize = 10_000;
/// Bytes of what tasks hold inside that are looked at for one page.
pub const LOOKED_AT_BYTES: usize = 16 * 1024 * 1024;
/// Tasks, and dead letters, among which a short id is looked for.
pub const ENDS_LOOKED_AT: usize = 10_000;
/// Tasks that a short id is told to mean.
pub const ENDS_TOLD: usize = 10;

/// Records of a listing.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub items: Vec<Seen>,
    /// Where the listing goes on; none at its end.
    pub next: Option<String>,
    /// Records that were read or skipped for this.
    pub looked_at: usize,
}

/// A record, and the cursor with which a listing goes on after it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub record: Record,
    pub after: String,
}

/// What the walk over unfinished tasks says of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedTask {
    pub id: TaskId,
    pub state: State,
    pub queue: Queue,
    pub generation: u32,
    pub attempt: u32,
    pub enqueued_at: Timestamp,
    /// Running: who runs it, and under which token.
    pub worker: Option<ProcessId>,
    pub token: u64,
    /// The schedule set has a message of this generation.
    pub scheduled: bool,
}

#[derive(Clone, Debug)]
pub struct Admission {
    pub message: Message,
    pub kind: String,
    pub tenant: Option<String>,
    /// The name of the token that enqueues it.
    pub enqueued_by: Option<String>,
    /// With what it counts within ([`Task::scoped_key`](clawpool_core::task::Task::scoped_key)).
    pub unique_key: Option<String>,
    /// Start no earlier than this: the task begins in the schedule set.
    pub at: Option<Timestamp>,
    /// Of what it asks for, where its producer has chosen the id: another task with the id has another one.
    pub fingerprint: Option<Fingerprint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    New,
    /// The id, or the unique key, belongs to this unfinished or remembered task.
    Existing(TaskId),
}

/// A task whose producer is to be told that nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub id: TaskId,
    /// Until when its message may turn up; none where none was sent.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Nothing of it will run.
    Done,
    /// It has begun, or is over: its message was taken after all.
    TooLate,
    /// It waits, and was enqueued once more.
    Wanted,
}

/// A delivered message that a worker has a free slot for.
#[derive(Clone, Debug)]
pub struct Claim {
    pub id: TaskId,
    pub generation: u32,
    /// Drawn for each delivery and kept while its claim is asked again: an answer may get lost after the
    /// claim was made, and then no worker would run the task while its owner lives.
    pub ticket: u32,
    /// For a record that is gone (restored broker, emptied store): enough to write it anew.
    pub kind: String,
    pub queue: Queue,
    pub attempt: u32,
    pub enqueued_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Start it. `crashes` workers died while they ran it.
    Run { token: u64, crashes: u32 },
    /// It took too many workers down: dead-letter it with this token.
    Poison { token: u64, crashes: u32 },
    /// Finished, cancelled or put on its way again: acknowledge the message and forget it.
    Drop,
    /// Another worker runs it and lives, or this one must not run it beside another: put the message into the
    /// schedule set for `retry_in` and acknowledge.
    Held { retry_in: Duration },
}

/// The right to settle one attempt. Fencing: a later claim of the same task makes it void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub id: TaskId,
    pub queue: Queue,
    pub token: u64,
}

#[derive(Clone, Debug)]
pub struct Settlement {
    pub claimed: Claimed,
    pub end: End,
    /// What the attempt adds to the figures, if this end is accepted.
    pub counters: Counters,
    /// [`Story::write`] of the task, or nothing. Kept with the result or the failure; a dead letter has its
    /// task's message instead.
    pub story: Bytes,
}

impl Settlement {
    /// Of no attempt that counts.
    pub fn uncounted(claimed: Claimed, end: End) -> Self {
        Self { claimed, end, counters: Counters::default(), story: Bytes::new() }
    }
}

/// How an attempt ended, with all the store needs to write.
#[derive(Clone, Debug)]
pub enum End {
    /// The record, with the result, is kept for `keep` (at least the dedupe window).
    Completed {
        result: Payload,
        keep: Duration,
    },
    /// `message` is the next generation; it enters the schedule set at `at`.
    Retry {
        message: Message,
        at: Timestamp,
        failure: Failure,
    },
    Dead(DeadLetter),
    Cancelled,
    /// Queued again at the same generation; the caller releases the message. Takes the claim back as if it
    /// never was.
    Released,
    /// The same, but its message enters the schedule set at `at`, and leaves its queue.
    PutOff {
        message: Message,
        at: Timestamp,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// It had not started and never will.
    Done,
    /// It runs; its handler has been told.
    Signalled,
    /// It was over before; nothing changed.
    TooLate(State),
    Unknown,
}

/// What the store knows of one task.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// As it was given, or made.
    pub id: TaskId,
    /// What is to be done.
    pub kind: String,
    /// That of its queue.
    pub priority: Priority,
    /// An earlier version's dispatcher does not tell it.
    #[serde(default)]
    pub queue: Queue,
    /// The customer for whom it runs, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The name of the token that enqueued it; none where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enqueued_by: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Scheduled: what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Failed attempts so far.
    pub attempt: u32,
    /// Workers that died while they ran it.
    pub crashes: u32,
    /// How often it was put on its way; 0 at first.
    pub generation: u32,
    /// When it was added.
    pub enqueued_at: Timestamp,
    /// When its last attempt was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Scheduled: when it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Running: who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<ProcessId>,
    /// Running: what its handler last said of its progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What its handler returned; kept for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// The last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// As the settlement brought it: see [`Record::story`].
    #[serde(skip)]
    pub story: Bytes,
    /// Of what it asks for, where its producer has chosen the id.
    #[serde(skip)]
    pub fingerprint: Option<Fingerprint>,
}

/// A result and the story, from the values that end with stories: that of a result is the later one.
pub(super) fn told(state: State, result: Option<Bytes>, failure: Option<Bytes>) -> (Option<Payload>, Bytes) {
    let part = |value: Option<Bytes>| value.map(Story::part).unwrap_or_default();
    let is_result = result.is_some() && state != State::Cancelled;
    let last = part(result);
    let result = is_result.then(|| Payload::from_message_pack(last.0));
    (result, if last.1.is_empty() { part(failure).1 } else { last.1 })
}

/// What a scheduled task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// The time for which its producer, or who requeued it, has planned it.
    Delayed,
    /// Its next attempt, after one that failed.
    Retrying,
}

impl Waiting {
    /// Of a task in this state that has failed so often.
    pub fn of(state: State, attempt: u32) -> Option<Self> {
        let why = if attempt > 0 { Self::Retrying } else { Self::Delayed };
        (state == State::Scheduled).then_some(why)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Retrying => "retrying",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordFilter {
    /// One of these; empty: in any.
    pub states: Vec<State>,
    pub kind: Option<KindPattern>,
    pub priority: Option<Priority>,
    pub queue: Option<Queue>,
    pub tenant: Option<String>,
    /// Enqueued at this time or later.
    pub since: Option<Timestamp>,
    /// Enqueued before this.
    pub until: Option<Timestamp>,
}

impl Record {
    /// What is told of the task beside its record; none before the first attempt has ended.
    pub fn story(&self) -> Option<Story> {
        Story::read(&self.story)
    }

    /// Whether the task belongs to another token than the one that repeats its id, which then must not learn
    /// of it. What came without a token (over AMQP, or in an earlier version) is told apart by its tenant
    /// alone.
    pub fn is_of_another_token(&self, repetition: &Admission) -> bool {
        match (&repetition.enqueued_by, &self.enqueued_by) {
            (Some(token), Some(other)) => token != other,
            (Some(_), None) => repetition.tenant != self.tenant,
            (None, _) => false,
        }
    }

    /// Whether what repeats the task's id asks for something else. What the record does not tell counts as
    /// the same.
    pub fn is_another_than(&self, repetition: &Admission) -> bool {
        let Some(asked) = repetition.fingerprint else { return false };
        if self.kind != repetition.kind || self.tenant != repetition.tenant {
            return true;
        }
        match self.fingerprint {
            Some(own) => own != asked,
            // Its id was made by a dispatcher, or an earlier version has written the record.
            None => self.story().and_then(Story::into_payload).is_some_and(|payload| {
                let asked = repetition.message.task().map(|task| task.payload);
                asked.is_ok_and(|asked| {
                    Fingerprint::of(&self.kind, &asked) != Fingerprint::of(&self.kind, &payload)
                })
            }),
        }
    }
}

impl RecordFilter {
    pub fn matches(&self, record: &Record) -> bool {
        (self.states.is_empty() || self.states.contains(&record.state))
            && self.queue.is_none_or(|queue| queue == record.queue)
            && self.since.is_none_or(|since| record.enqueued_at >= since)
            && self.until.is_none_or(|until| record.enqueued_at < until)
            && self.priority.is_none_or(|priority| priority == record.priority)
            && self.tenant.as_ref().is_none_or(|tenant| Some(tenant) == record.tenant.as_ref())
            && self.kind.as_ref().is_none_or(|pattern| pattern.matches(&record.kind))
    }
}
