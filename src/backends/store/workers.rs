//! Workers and their leases. A worker lives as long as it beats; its beats also bring it its orders, so that
//! nothing has to be polled for.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Claimed, StoreError};
use clawpool_core::{
    figures::Machine,
    task::{ProcessId, Queue, QueuePattern, TaskId, Timestamp},
};

#[async_trait]
pub trait WorkerStore: Send + Sync + 'static {
    /// Registers a worker, or renews its lease, and collects the orders that wait for it.
    async fn beat(&self, beat: &Beat) -> Result<Orders, StoreError>;

    /// All that are registered, the living and those whose lease has ended and who are not forgotten yet.
    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError>;

    /// Those of these workers that are seen to live by something other than their beats: the connection over
    /// which they beat, or their process on this machine. `None` where the store cannot look. Whoever was
    /// never seen may live all the same: behind a proxy, on another machine, or as an earlier version. Costs
    /// the server more than a beat: for the moments in which somebody is silent.
    async fn connected(&self, workers: &[ProcessId]) -> Result<Option<Vec<ProcessId>>, StoreError>;

    /// Tells a worker to finish what it runs and leave. False when there is no such worker.
    async fn drain(&self, worker: ProcessId) -> Result<bool, StoreError>;

    /// Ends the lease of a worker that died, and answers the tasks that it ran: another worker can claim
    /// them. Each has seen one more crash, and `retry::share_blame` says when it may start again: what the
    /// schedule set holds of it is due then, and no later. `polled`: the tasks whose futures the worker was
    /// polling as it ended by its own doing, where that is known.
    async fn end_lease(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError>;

    /// Asks workers whether they run tasks that the store counts as theirs. Each learns of it with its next
    /// beat (`Orders::asked`), unless the claim has ended or passed on by then.
    async fn ask(&self, questions: &[Question]) -> Result<(), StoreError>;

    /// Removes a worker from the registry: it left in good order, or all it held has been given back.
    async fn forget(&self, worker: ProcessId) -> Result<(), StoreError>;
}

/// What a worker says of itself with each heartbeat.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Beat {
    /// Its id, of this incarnation.
    pub worker: ProcessId,
    /// The pool that it belongs to.
    pub pool: String,
    /// Of its program. Absent in heartbeats of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The name of its machine.
    pub host: String,
    /// The system's number of its process.
    pub pid: u32,
    /// When it came up.
    pub started_at: Timestamp,
    /// Tasks that it can run at once.
    pub slots: u32,
    /// It finishes what it runs, and takes nothing more.
    pub draining: bool,
    /// Those that it takes tasks of now, most urgent first: of users' own queues those that have had a task.
    pub queues: Vec<Queue>,
    /// All that it would take tasks of. Absent in heartbeats of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Vec<QueuePattern>>,
    /// Tasks running, for each of `queues`.
    pub running: Vec<u32>,
    /// News of running tasks since the last beat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<(TaskId, String)>,
    /// So long it lives without a heartbeat.
    #[serde(rename = "lease_ms", with = "clawpool_core::task::millis")]
    #[schemars(with = "u64")]
    pub lease: Duration,
    /// Absent where the machine does not tell, and before the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What its machine is doing, as it saw it last. In `/v1/hosts`, not with each worker.
    #[serde(skip)]
    pub machine: Option<Machine>,
    /// Attempts that have ended.
    #[serde(default)]
    pub done: Done,
    /// Queues of which it starts nothing, because they are paused. Absent in heartbeats of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Vec<Queue>>,
    /// Kinds, and prefixes ending in `*`, that it has handlers for. Absent: an older version, which does not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Kinds of tasks that came to it lately and that it has no handler for, with their queues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unhandled: Vec<(Queue, String)>,
}

impl Beat {
    /// Whether it takes tasks of this queue, or would if there were any.
    pub fn serves(&self, queue: Queue) -> bool {
        match &self.serves {
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(queue)),
            None => self.queues.contains(&queue),
        }
    }

    /// Nothing of the queue starts at this worker any more.
    pub fn obeys_pause_of(&self, queue: Queue) -> bool {
        let stopped = self.paused.as_ref().is_some_and(|paused| paused.contains(&queue));
        self.draining || stopped || !self.serves(queue)
    }
}

/// What the worker's own process takes; the programs that its tasks start are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Of one core, in per cent, over the last seconds: two busy threads make 200.
    #[serde(rename = "cpu_percent", alias = "cpu")]
    pub cpu: f32,
    /// Resident bytes.
    #[serde(rename = "memory_bytes", alias = "memory")]
    pub memory: u64,
}

/// Attempts that have ended since the worker started, and how long they ran together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// How many.
    pub tasks: u64,
    /// How long they ran together.
    #[serde(rename = "run_ms", with = "clawpool_core::task::millis")]
    #[schemars(with = "u64")]
    pub run: Duration,
}

/// Whether this worker runs this task, claimed with this token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub worker: ProcessId,
    pub task: TaskId,
    pub token: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Running tasks that were cancelled.
    pub cancel: Vec<TaskId>,
    /// Running tasks that passed to another worker: stop them, their outcomes would be refused.
    pub lost: Vec<TaskId>,
    /// Claims that the store counts as the worker's. What it does not run, it gives back.
    pub asked: Vec<Claimed>,
    pub drain: bool,
    pub paused: Vec<Queue>,
    /// Changes when a queue has its first task, or is removed: see `ControlStore::totals`.
    pub queues: u64,
}

/// A worker as the store knows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkerInfo {
    /// What it said last.
    #[serde(flatten)]
    pub beat: Beat,
    /// Beats received, for observers who judge silence by their own clock.
    pub beats: u64,
    /// When it was heard last.
    pub last_beat: Timestamp,
    /// Its lease has not ended.
    pub alive: bool,
}
