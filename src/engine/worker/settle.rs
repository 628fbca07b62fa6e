use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::{sync::mpsc, task::JoinSet, time};
use tokio_util::task::TaskTracker;

use super::{claim::BACKOFF, job::Job, questions::UnderWay, receipts};
use clawpool_backends::{
    broker::Broker,
    store::{DeadLetter, End, Settlement, Store},
};
use clawpool_core::{
    retry,
    task::{CodecError, Outcome, ProcessId, Timestamp},
};

/// An attempt that is over, on its way to the store.
#[derive(Debug)]
pub(super) struct Ended {
    pub job: Arc<Job>,
    pub outcome: Outcome,
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

    /// Fails only when the settler is gone.
    pub async fn send(&self, ended: Ended) -> bool {
        self.count.sent.fetch_add(1, Ordering::Relaxed);
        self.way.send(ended).await.is_ok()
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

/// Makes outcomes durable at the store, many at once, and only then acknowledges the messages (INV-5).
#[derive(Clone)]
pub(super) struct Settler {
    pub worker: ProcessId,
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
}

/// Outcomes in one call to the store at most, and calls under way at once.
const BATCH: usize = 256;
const CALLS: usize = 4;

impl Settler {
    /// Runs until every sender is gone and everything is settled. An outcome is never given up while the
    /// store is away.
    pub async fn run(self, mut received: Received) {
        let (mut calls, acks) = (JoinSet::new(), TaskTracker::new());
        loop {
            let mut batch = Vec::new();
            if received.ended.recv_many(&mut batch, BATCH).await == 0 {
                break;
            }
            let number = received.count.received().begin(batch.len() as u64);
            if calls.len() >= CALLS {
                calls.join_next().await;
            }
            let (call, count) = (self.clone().settle(batch, acks.clone()), Arc::clone(&received.count));
            calls.spawn(async move {
                call.await;
                count.received().end(number);
            });
        }
        while calls.join_next().await.is_some() {}
        acks.close();
        acks.wait().await;
    }

    async fn settle(self, batch: Vec<Ended>, acks: TaskTracker) {
        let now = Timestamp::now();
        let settlements: Vec<Settlement> = batch.iter().map(|ended| settlement(ended, now)).collect();
        let accepted = self.record(&settlements).await;
        let (mut done, mut back) = (Vec::new(), Vec::new());
        for (ended, accepted) in batch.into_iter().zip(accepted) {
            let receipt = ended.job.delivery.receipt.clone();
            let released = matches!(ended.outcome, Outcome::Released);
            // Only the worker that ended the task may end its message: what was refused goes back. The
            // message may be the one that brings the task to its next run, also to this worker. If the task
            // is over, the next claim drops it.
            if accepted && !released {
                done.push(receipt)
            } else {
                back.push(receipt)
            }
            if !accepted && !released {
                let id = ended.job.task.id;
                tracing::warn!(%id, "the outcome came too late: the task had passed to another worker \
                    (INV-2)");
            }
        }
        // The next outcomes need not wait for these.
        acks.spawn(async move {
            receipts::acknowledge(&*self.broker, done).await;
            receipts::give_back(&*self.broker, back).await;
        });
    }

    async fn record(&self, settlements: &[Settlement]) -> Vec<bool> {
        let (mut waits, mut told) = (BACKOFF.waits(), false);
        loop {
            match self.store.settle(self.worker, settlements).await {
                Ok(accepted) => return accepted,
                Err(error) if !std::mem::replace(&mut told, true) => {
                    tracing::warn!(code = error.code(), %error, tasks = settlements.len(), "outcomes wait \
                        for the store");
                }
                Err(_) => {}
            }
            time::sleep(waits.after_failure()).await;
        }
    }
}

fn settlement(ended: &Ended, now: Timestamp) -> Settlement {
    let end = end(ended, now).unwrap_or_else(|error| {
        // Only a task that could not have been decoded either; it stays on its queue.
        tracing::error!(id = %ended.job.task.id, %error, "an outcome cannot be written");
        End::Released
    });
    Settlement { claimed: ended.job.claimed, end }
}

fn end(ended: &Ended, now: Timestamp) -> Result<End, CodecError> {
    let job = &ended.job;
    Ok(match &ended.outcome {
        Outcome::Completed(result) => End::Completed { result: result.clone(), keep: job.task.result_ttl },
        Outcome::Retry { failure, at } => {
            let message = retry::next_message(&job.task, failure, now).to_message()?;
            End::Retry { message, at: *at, failure: failure.clone() }
        }
        Outcome::Dead { reason, failure } => End::Dead(DeadLetter {
            message: retry::last_message(&job.task, failure, now).to_message()?,
            kind: job.task.kind.clone(),
            tenant: job.task.tenant.clone(),
            reason: *reason,
            failure: failure.clone(),
            crashes: job.crashes,
            died_at: now,
        }),
        Outcome::Cancelled => End::Cancelled,
        Outcome::Released => End::Released,
    })
}
