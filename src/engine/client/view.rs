//! The shapes of answers, for the server that writes them and the commands that read them.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    alert::{Event, Level},
    client::{Change, PoolStatus},
};
use clawpool_backends::store::{DeadLetter, QueueTotals, Record};
use clawpool_core::{
    config::ConfigErrors,
    figures::Machine,
    task::{
        DeadReason, FailedAttempt, Failure, Lane, Payload, Priority, ProcessId, Queue, State, Task, TaskId,
        Timestamp, millis,
    },
};

/// What every refusal looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// Stable; `clawpool explain` tells more.
    pub code: String,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The field that is wrong, as a path: `payload.to`, `ids[3]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Seconds after which the same request may succeed.
    #[serde(default, rename = "retry_after_s", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Whether this task was taken is not known: sent again with this id, it runs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
}

impl ErrorView {
    /// With nothing but a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None, retry_after: None, id: None }
    }
}

impl fmt::Display for ErrorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{} {field}: {}", self.code, self.message),
            None => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

/// An accepted task.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedView {
    /// Given by the producer, or made for it.
    pub id: TaskId,
    /// As the producer or the classification table chose it.
    pub priority: Priority,
    /// Where it waits.
    pub queue: Queue,
    /// The id or the unique key was known: this is the task that was there before.
    pub duplicate: bool,
    /// When it may start, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it may wait for long: no live worker serves its queue, or has a handler for its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// With `wait`: the task when the wait ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<Record>>,
}

/// One line of the answer to a batch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BatchLine {
    /// The task was not taken.
    Refused {
        /// Why.
        error: ErrorView,
    },
    /// The task is durable.
    Accepted(AcceptedView),
}

/// Answer to a cancellation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CancelView {
    /// The task that was to be cancelled.
    pub id: TaskId,
    /// `cancelled`, or `running` when its handler has been told and has not stopped yet.
    pub state: State,
}

/// One queue: what waits and runs, and which workers serve it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QueueView {
    /// Its name.
    pub queue: Queue,
    /// Of all its tasks.
    pub priority: Priority,
    /// What carries it.
    pub lane: Lane,
    /// Waiting tasks; absent when the broker did not say.
    pub ready: Option<u64>,
    /// Running, as the workers last said.
    pub in_flight: u64,
    /// Age of the message at its head, in milliseconds; absent when none waits or the broker did not say.
    pub oldest_age_ms: Option<u64>,
    /// More waiting tasks than this are refused.
    pub limit: u64,
    /// Workers start none of its tasks.
    pub paused: bool,
    /// It is being removed, and takes no new tasks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closing: bool,
    /// Live workers that take tasks from it.
    #[serde(default)]
    pub workers: u64,
    /// Kinds of which tasks came lately and that none of these workers has a handler for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unhandled: Vec<String>,
    /// What happened on it since the store was made, and its rates.
    #[serde(flatten)]
    pub totals: QueueTotals,
    /// Why `ready` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// After a pause: workers that have not said yet that they start nothing more of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<ProcessId>,
}

/// What became of a queue that is to be removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RemovedQueueView {
    /// Its name.
    pub queue: Queue,
    /// It is gone. Else it takes no new tasks, and is to be asked for again.
    pub removed: bool,
    /// Tasks that were enqueued there and have not ended.
    pub unfinished: u64,
}

// Serde gives a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// All queues, most urgent first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QueuesView {
    /// One of each.
    pub items: Vec<QueueView>,
}

/// A machine with workers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct HostView {
    /// Its name.
    pub host: String,
    /// Live workers.
    pub workers: u64,
    /// Tasks that they can run at once.
    pub slots: u64,
    /// Tasks that they run.
    pub running: u64,
    /// Whose workers they are.
    pub pools: Vec<String>,
    /// Of the workers' programs. Older ones than 0.1.0 do not say.
    pub versions: Vec<String>,
    /// As the worker that was heard last has seen it; absent before its first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// All machines with workers, by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HostsView {
    /// One of each.
    pub items: Vec<HostView>,
}

/// A dead letter in a listing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeadView {
    /// Of the task.
    pub id: TaskId,
    /// Of the task; `unreadable` when its message could not be decoded.
    pub kind: String,
    /// Of the task.
    pub priority: Priority,
    /// Of the task, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Why it ended.
    pub reason: DeadReason,
    /// Of the last attempt.
    pub failure: Failure,
    /// Workers that died with it.
    pub crashes: u32,
    /// When the producer added it.
    pub enqueued_at: Timestamp,
    /// When it became a dead letter.
    pub died_at: Timestamp,
}

impl From<&DeadLetter> for DeadView {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.message.id,
            kind: letter.kind.clone(),
            priority: letter.message.priority(),
            tenant: letter.tenant.clone(),
            reason: letter.reason,
            failure: letter.failure.clone(),
            crashes: letter.crashes,
            enqueued_at: letter.message.enqueued_at,
            died_at: letter.died_at,
        }
    }
}

/// A dead letter with all that is known of its task.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeadDetail {
    /// As in a listing.
    #[serde(flatten)]
    pub letter: DeadView,
    /// Absent when the message could not be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskView>,
}

impl From<&DeadLetter> for DeadDetail {
    fn from(letter: &DeadLetter) -> Self {
        Self { letter: letter.into(), task: letter.message.task().map(TaskView::from).ok() }
    }
}

/// The envelope, with its payload as a value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TaskView {
    /// What the handler gets.
    pub payload: Payload,
    /// The session that the producer named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// No second unfinished task has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// After this it does not start any more.
    pub expires_at: Timestamp,
    /// How often it was put on its way; 0 at first.
    pub generation: u32,
    /// Attempts that failed.
    pub attempt: u32,
    /// None: the retry table decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// For one attempt.
    #[serde(default, rename = "timeout_ms", with = "millis::option")]
    #[schemars(with = "u64")]
    pub timeout: Option<Duration>,
    /// Every failed attempt, oldest first.
    pub errors: Vec<FailedAttempt>,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            payload: task.payload,
            session: task.session,
            unique_key: task.unique_key,
            expires_at: task.expires_at,
            generation: task.generation,
            attempt: task.attempt,
            max_attempts: task.max_attempts,
            timeout: Some(task.timeout),
            errors: task.errors,
        }
    }
}

/// The autoscaler's pools.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerView {
    /// All pools are left as they are.
    pub paused: bool,
    /// One of each pool that an autoscaler has seen.
    pub items: Vec<PoolStatus>,
}

/// A decision of the autoscaler that changed a pool, or the first one after that to leave it alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScalingView {
    /// Its name.
    pub pool: String,
    /// When it was decided.
    pub at: Timestamp,
    /// From what to what, and why.
    #[serde(flatten)]
    pub change: Change,
}

/// An event that an operator should know of, and what to do about it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AlertView {
    /// When it happened.
    pub at: Timestamp,
    /// The name of the pool, or of the part that it is about.
    pub pool: String,
    /// How urgent it is.
    pub level: Level,
    /// Which event.
    pub event: Event,
    /// For `clawpool explain`.
    pub code: String,
    /// What happened, in words.
    pub text: String,
    /// What to do about it.
    pub fix: String,
}

/// Answer to a bulk change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountView {
    /// Tasks or dead letters that were changed.
    pub count: u64,
    /// Requeue: left where they are, because another task with their unique key is not finished.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: u64,
}

/// Answer to a change of many dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadChangedView {
    /// How many were changed; in a dry run how many would be.
    #[serde(flatten)]
    pub counts: CountView,
    /// Letters that were read for this, where there are others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looked_at: u64,
    /// There are others: ask again with this as `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer to a change of many tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TasksChangedView {
    /// Tasks that were changed; in a dry run those that would be.
    pub changed: u64,
    /// Cancel: running ones, whose handlers were told to stop.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub signalled: u64,
    /// Tasks that were chosen and cannot be changed: they are over, or unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left: u64,
    /// Tasks that may match, and whose inside cannot be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u64,
    /// Records that were looked at for this, where there are others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looked_at: u64,
    /// There are others: ask again with this as `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl std::ops::AddAssign for CountView {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.kept += other.kept;
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The configuration of a dispatcher as it holds, secrets hidden.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigView {
    /// Every value, in the order of the configuration file.
    pub items: Vec<SettingView>,
}

/// One value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingView {
    /// Dotted: `limits.batch`, `pools[0].max`.
    pub key: String,
    /// As TOML has it.
    pub value: String,
    /// The line of a file, a variable, a flag. Absent: the default, or this process does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// What a reload of the configuration did. Keys are dotted: `limits.batch`, `pools[0].max`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadView {
    /// Hold from now on.
    pub applied: Vec<String>,
    /// Hold for workers that start from now on; running ones keep what they started with.
    pub new_workers: Vec<String>,
    /// Hold after a restart of the program.
    pub restart: Vec<String>,
    /// Not used by this process: those that use them are to be asked themselves.
    pub elsewhere: Vec<String>,
    /// Why the file may not be what was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A configuration that was read again and has mistakes: an [`ErrorView`] with all of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReloadRefusedView {
    /// Stable; `clawpool explain` tells more.
    pub code: String,
    /// Every mistake, one a line.
    pub message: String,
    /// The same, one by one.
    pub faults: ConfigErrors,
}
