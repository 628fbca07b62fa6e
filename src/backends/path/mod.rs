//! The Path seam: the way of a task from its producer to a worker and to its end. Producers, workers and the
//! promoter use nothing else.
//!
//! Guarantees: a task whose offer was answered with `New` is durable, as a record and as a message (INV-1); a
//! task that was taken is claimed, with a token later than all before (INV-2); its outcome is durable before
//! its message is gone (INV-5). Never does: decide what runs next, what is retried or when.
//!
//! Where queue and record live on one server they change together: each verb is one script ([`RedisPath`]) or
//! one transaction ([`SqlitePath`]). [`Apart`] works over any broker and any store: the record is written
//! before the message, and settled before the message is acknowledged.

mod apart;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod lanes;
mod offered;
mod open;
mod redis;
mod sqlite;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    broker::Receipt,
    store::{Admission, Claimed, Counters, End, Fence, Settlement},
};
use clawpool_core::task::{ProcessId, Queue, Task, Timestamp};

pub use apart::{Apart, Rerouted, Searched, find, live_workers, peek, reroute, search};
pub use error::PathError;
pub use lanes::Lanes;
pub use offered::{Offered, Refusal};
pub use open::{Servers, open, over};
pub use redis::RedisPath;
pub use sqlite::SqlitePath;

/// Giving back what a worker held that is gone.
#[async_trait]
pub trait Reclaim: Send + Sync + 'static {
    /// Gives back everything that a worker, known to be gone, still held. Returns how many messages that
    /// were. What this process has finished itself is off its queues before.
    async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError>;
}

#[async_trait]
pub trait Path: Reclaim {
    /// Records new tasks and puts them on their queues, or into the schedule set. One answer each, in order.
    ///
    /// A known id, or a unique key whose task is not finished, answers with the task that is there already,
    /// after a look at whether its message is still there. What is refused never runs; where that cannot be
    /// promised, the answer says so.
    async fn offer(&self, tasks: &[Admission]) -> Vec<Offered>;

    /// Starts taking tasks for one worker, of whatever queues it wants. A queue is wanted of one of a
    /// worker's sources alone.
    async fn source(&self, taker: Taker) -> Box<dyn Source>;

    /// Ends attempts. One answer each, in order, once their outcomes are durable: false where the token is no
    /// longer the latest, in which case nothing changed. The messages of tasks that go on, and of those that
    /// were refused, go back to their queues; the others are gone for good.
    async fn finish(&self, worker: ProcessId, attempts: &[Attempt]) -> Result<Vec<bool>, PathError>;

    /// Gives back claims that the store counts as this worker's and that the worker does not know of, as if
    /// they had never been made. One answer each: false where the claim has ended by now.
    async fn disown(&self, worker: ProcessId, claims: &[Claimed]) -> Result<Vec<bool>, PathError>;

    /// Compares what the servers count as held by a living worker with what was taken through this handle,
    /// and gives the rest back. Called about once a second; while nothing happens it costs nothing.
    async fn reconcile(&self, worker: ProcessId) -> Result<u64, PathError>;

    /// Moves up to `limit` due tasks from the schedule set to their queues.
    async fn promote(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError>;
}

/// The tasks of the queues that are wanted, for one worker.
#[async_trait]
pub trait Source: Send {
    /// Takes what is ready now, which may be nothing. Dropping the future may leave tasks claimed that no
    /// worker runs, until [`Path::reconcile`] finds them: let it end.
    async fn take(&mut self, wants: &Wants) -> Result<Taken, PathError>;

    /// Waits until a take of these wants may find something, or something has to be done. Does not poll.
    /// Dropping the future loses nothing.
    async fn ready(&mut self, wants: &Wants) -> Result<(), PathError>;

    /// While nothing is wanted: what would wake this worker goes on to another one. Does not end. Dropping
    /// the future loses nothing.
    async fn unwanted(&mut self) {
        std::future::pending().await
    }

    /// Gives back what was fetched ahead, since nothing is wanted for some time.
    async fn rest(&mut self);

    /// The worker leaves: ends all that runs for this source, and gives back what was fetched ahead.
    async fn close(&mut self);
}

/// Who takes.
#[derive(Clone)]
pub struct Taker {
    pub worker: ProcessId,
    /// How long a message may wait here, fetched and not claimed, until it goes back.
    pub hold: Duration,
    /// Whether the silence of another worker is its own and not the store's.
    pub sees_silence: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The worker leaves: nothing more is claimed.
    pub stop: tokio_util::sync::CancellationToken,
}

/// What a worker can use now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// In the order in which the queues are asked. One may be asked twice; one that is missing is paused, and
    /// what was fetched of it goes back.
    pub queues: Vec<Want>,
    /// Tasks at most, of all queues together.
    pub total: usize,
    /// Messages of each queue that may be fetched beyond those.
    pub ahead: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub queue: Queue,
    pub most: usize,
}

impl Wants {
    /// How many tasks of a queue can be used.
    pub fn of(&self, queue: Queue) -> usize {
        let asked = self.queues.iter().filter(|want| want.queue == queue).map(|want| want.most);
        asked.sum::<usize>().min(self.total)
    }

    pub fn any(&self) -> bool {
        self.total > 0 && self.queues.iter().any(|want| want.most > 0)
    }

    pub fn names(&self, queue: Queue) -> bool {
        self.queues.iter().any(|want| want.queue == queue)
    }
}

/// What a take brought.
#[derive(Debug, Default)]
pub struct Taken {
    pub tasks: Vec<TakenTask>,
    /// Queues of which nothing can be had now, and why. The source tries again by itself.
    pub troubles: Vec<(Queue, PathError)>,
}

/// A task that is claimed for the worker that took it.
#[derive(Clone, Debug)]
pub struct TakenTask {
    pub task: Arc<Task>,
    pub claimed: Claimed,
    /// Workers that died while they ran it.
    pub crashes: u32,
    /// It took too many workers down: it must not run, and is to be dead-lettered with its token.
    pub is_poison: bool,
    pub receipt: Receipt,
}

/// The end of an attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub claimed: Claimed,
    pub receipt: Receipt,
    pub end: End,
    /// What it adds to the figures, if this end is accepted.
    pub counters: Counters,
    /// What is told of the task from now on: see [`Settlement::story`].
    pub story: Bytes,
}

impl Attempt {
    /// One that is not counted: nothing ran.
    pub fn uncounted(claimed: Claimed, receipt: Receipt, end: End) -> Self {
        Self { claimed, receipt, end, counters: Counters::default(), story: Bytes::new() }
    }

    fn settlement(&self) -> Settlement {
        let Self { claimed, end, counters, story, .. } = self;
        Settlement { claimed: *claimed, end: end.clone(), counters: counters.clone(), story: story.clone() }
    }
}

/// What became of due tasks.
#[derive(Debug, Default)]
pub struct Promoted {
    /// On their queues now.
    pub moved: usize,
    /// Still in the set, and why the first of them is.
    pub left: usize,
    pub refusal: Option<PathError>,
    /// When the next one is due, where none is now.
    pub next: Option<Timestamp>,
}
