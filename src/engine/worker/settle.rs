use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet, time};

use super::{
    facts::{Facts, Spans},
    job::Job,
    questions::UnderWay,
    story::Stories,
};
use crate::trace::{Ran, Tracer};
use clawpool_backends::{
    path::{Attempt, Path},
    store::{Counters, DeadLetter, End},
};
use clawpool_core::{
    retry::{self, Backoff},
    task::{CodecError, Outcome, ProcessId, Timestamp},
};

/// An attempt that is over, on its way to the store.
#[derive(Debug)]
pub(super) struct Ended {
    pub job: Arc<Job>,
    pub outcome: Outcome,
    /// None where nothing ran.
    pub spans: Option<Spans>,
}

/// The way to the [`Settler`], and how far it has come.
#[derive(Clone)]
pub(super) struct Outcomes {
    way: mpsc::Sender<Ended>,
    count: Arc<Count>,
}

#[derive(Default)]
struct Count {
    sent: AtomicU64,
    received: Mutex<UnderWay>,
}

impl Outcomes {
    /// With room for so many.
    pub fn new(room: usize) -> (Self, Received) {
        let (way, ended) = mpsc::channel(room);
        let count = Arc::<Count>::default();
        (Self { way, count: Arc::clone(&count) }, Received { ended, count })
    }

    /// Fails only when the settler is gone, or there is no room.
    pub fn try_send(&self, ended: Ended) -> bool {
        self.count.sent.fetch_add(1, Ordering::Relaxed);
        self.way.try_send(ended).is_ok()
    }

    pub fn room(&self) -> usize {
        self.way.capacity()
    }

    pub fn sent(&self) -> u64 {
        self.count.sent.load(Ordering::Relaxed)
    }

    /// Of those that were sent, so many of the first are safe at the store, or were refused there.
    pub fn recorded(&self) -> u64 {
        self.count.received().ended()
    }
}

impl Count {
    /// Whole after each change, so a panic elsewhere does not spoil it.
    fn received(&self) -> MutexGuard<'_, UnderWay> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Received {
    ended: mpsc::Receiver<Ended>,
    count: Arc<Count>,
}

/// Makes outcomes durable, many at once (INV-5).
pub(super) struct Settler {
    pub worker: ProcessId,
    pub path: Arc<dyn Path>,
    pub facts: Facts,
    pub tracer: Tracer,
    pub stories: Stories,
}

/// Outcomes in one call to the store at most, and calls under way at once.
const BATCH: usize = 256;
const CALLS: usize = 4;
/// While the store does not answer. Work goes on within a second of its return.
const BACKOFF: Backoff = Backoff::millis::<50, 500>();

impl Settler {
    /// Runs until every sender is gone and everything is settled. An outcome is never given up while the
    /// store is away.
    pub async fn run(mut self, mut received: Received) {
        let mut calls = JoinSet::new();
        loop {
            let mut batch = Vec::new();
            if received.ended.recv_many(&mut batch, BATCH).await == 0 {
                break;
            }
            let number = received.count.received().begin(batch.len() as u64);
            if calls.len() >= CALLS {
                calls.join_next().await;
            }
            let call = self.call(batch);
            let count = Arc::clone(&received.count);
            calls.spawn(async move {
                call.await;
                count.received().end(number);
            });
        }
        while calls.join_next().await.is_some() {}
    }

    fn call(&mut self, batch: Vec<Ended>) -> impl Future<Output = ()> + use<> {
        let now = Timestamp::now();
        batch.iter().filter_map(ran).for_each(|ran| self.tracer.ran(ran));
        let attempt = |ended: &Ended| attempt(ended, &self.stories, now, self.facts.of(ended));
        let attempts = batch.iter().map(attempt).collect();
        Call { worker: self.worker, path: Arc::clone(&self.path), attempts }.settle(batch)
    }
}

/// None where nothing ran, or the task has no trace.
fn ran(ended: &Ended) -> Option<Ran<'_>> {
    let Ended { job, outcome, spans } = ended;
    let (wait, run) = spans.map(|spans| (spans.wait, spans.run))?;
    Some(Ran {
        task: &job.task,
        context: job.trace?,
        token: job.claimed.token,
        queue: job.queue(),
        began: job.began?,
        wait,
        run,
        outcome,
    })
}

/// One call to the store.
struct Call {
    worker: ProcessId,
    path: Arc<dyn Path>,
    attempts: Vec<Attempt>,
}

impl Call {
    async fn settle(self, batch: Vec<Ended>) {
        let accepted = self.record().await;
        for (ended, accepted) in batch.into_iter().zip(accepted) {
            if !accepted && !matches!(ended.outcome, Outcome::Released | Outcome::PutOff { .. }) {
                let id = ended.job.task.id;
                tracing::warn!(%id, "the outcome came too late: the task had passed to another worker \
                    (INV-2)");
            }
        }
    }

    async fn record(&self) -> Vec<bool> {
        let mut waits = BACKOFF.waits();
        let mut told = false;
        loop {
            match self.path.finish(self.worker, &self.attempts).await {
                Ok(accepted) => return accepted,
                Err(error) if !std::mem::replace(&mut told, true) => {
                    let tasks = self.attempts.len();
                    tracing::warn!(code = error.code(), %error, tasks, "outcomes wait for the store");
                }
                Err(_) => {}
            }
            time::sleep(waits.after_failure()).await;
        }
    }
}

fn attempt(ended: &Ended, stories: &Stories, now: Timestamp, counters: Counters) -> Attempt {
    let (end, story) = end(ended, stories, now).unwrap_or_else(|error| {
        // Only a task that could not have been decoded either; it stays on its queue.
        tracing::error!(id = %ended.job.task.id, %error, "an outcome cannot be written");
        (End::Released, Bytes::new())
    });
    Attempt { claimed: ended.job.claimed, receipt: ended.job.receipt.clone(), end, counters, story }
}

/// How it is recorded, and what is told of it beside. A dead letter has its task's message for that.
fn end(ended: &Ended, stories: &Stories, now: Timestamp) -> Result<(End, Bytes), CodecError> {
    let job = &ended.job;
    let ran = stories.ran(ended);
    Ok(match &ended.outcome {
        Outcome::Completed(result) => {
            let end = End::Completed { result: result.clone(), keep: job.task.result_ttl };
            (end, stories.of(&job.task, ran.as_ref()))
        }
        Outcome::Retry { failure, at } => {
            let next = retry::next_message(&job.task, failure, ran, now, *at);
            let message = next.to_message()?;
            (End::Retry { message, at: *at, failure: failure.clone() }, stories.of(&next, None))
        }
        Outcome::Dead { reason, failure } => {
            let letter = DeadLetter {
                message: retry::last_message(&job.task, failure, ran, now).to_message()?,
                kind: job.task.kind.clone(),
                tenant: job.task.tenant.clone(),
                reason: *reason,
                failure: failure.clone(),
                crashes: job.crashes,
                died_at: now,
            };
            (End::Dead(letter), Bytes::new())
        }
        Outcome::Cancelled => (End::Cancelled, stories.of(&job.task, ran.as_ref())),
        Outcome::Released => (End::Released, Bytes::new()),
        Outcome::PutOff { message, at } => (End::PutOff { message: message.clone(), at: *at }, Bytes::new()),
    })
}
