use std::{sync::Arc, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{
    Registry,
    heartbeat::Vitals,
    job::Job,
    receipts,
    settle::{Ended, Outcomes},
};
use clawpool_backends::{
    broker::{Broker, Delivery, Receipt},
    store::{Claim, ClaimOutcome, Claimed, DeadLetter, Scheduled, Store, StoreError},
};
use clawpool_core::{
    retry::Backoff,
    task::{DeadReason, ErrorClass, Failure, Outcome, ProcessId, Queue, Task, Timestamp},
};

/// While the store does not answer. Work goes on within a second of its return.
pub(super) const BACKOFF: Backoff = Backoff::millis::<50, 500>();

/// Asks the store whether delivered tasks may run, and disposes of those that may not.
#[derive(Clone)]
pub(super) struct Claimer {
    pub worker: ProcessId,
    pub registry: Arc<Registry>,
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
    pub vitals: Arc<Vitals>,
    pub lease: Duration,
    pub outcomes: Outcomes,
    /// The worker leaves: claim nothing more.
    pub stop: CancellationToken,
}

/// What a batch of claims leaves to do.
#[derive(Default)]
struct Left {
    /// Held for a while, with their entries in the schedule set.
    held: Vec<Receipt>,
    entries: Vec<Scheduled>,
    done: Vec<Receipt>,
}

/// Until a message comes back whose task still runs here.
const AGAIN: Duration = Duration::from_millis(250);

/// What became of one delivery: its queue, and the job to start if there is one.
pub(super) type ClaimAnswer = (Queue, Option<Job>);

impl Left {
    /// It is not its time. The set keeps the message until then; only with that may the broker forget it.
    fn put_off(&mut self, delivery: Delivery, wait: Duration) {
        self.entries.push(Scheduled { message: delivery.message, at: Timestamp::now() + wait });
        self.held.push(delivery.receipt);
    }
}

impl Claimer {
    /// One answer for each delivery. Waits while the store does not answer, and gives the deliveries back
    /// when the worker leaves meanwhile.
    pub async fn claim_all(self, deliveries: Vec<Delivery>) -> Vec<ClaimAnswer> {
        let mut answers: Vec<ClaimAnswer> = Vec::with_capacity(deliveries.len());
        let mut asked = Vec::with_capacity(deliveries.len());
        let mut unhandled = Vec::new();
        for delivery in deliveries {
            match delivery.message.task() {
                Ok(task) if self.is_unhandled(&task) => {
                    answers.push((delivery.receipt.queue, None));
                    unhandled.push((task, delivery));
                }
                Ok(task) => asked.push((Arc::new(task), delivery)),
                Err(error) => {
                    answers.push((delivery.receipt.queue, None));
                    self.dead_letter(delivery, &error.to_string()).await;
                }
            }
        }
        self.put_off_unhandled(unhandled).await;
        if asked.is_empty() {
            return answers;
        }
        let claims: Vec<Claim> = asked.iter().map(|(task, _)| claim(task)).collect();
        match self.claim(&claims).await {
            Some(outcomes) => {
                let mut left = Left::default();
                for ((task, delivery), outcome) in asked.into_iter().zip(outcomes) {
                    answers
                        .push((delivery.receipt.queue, self.apply(task, delivery, outcome, &mut left).await));
                }
                self.leave(left).await;
            }
            None => {
                answers.extend(asked.iter().map(|(_, delivery)| (delivery.receipt.queue, None)));
                let receipts = asked.into_iter().map(|(_, delivery)| delivery.receipt).collect();
                receipts::give_back(&*self.broker, receipts).await;
            }
        }
        answers
    }

    /// Messages of tasks that still run here. This worker was taken for dead, or a message came twice: a
    /// second run beside the first one must not be. The messages come back when that has ended, or has been
    /// told to.
    pub async fn put_off(self, again: Vec<Delivery>) {
        let mut left = Left::default();
        again.into_iter().for_each(|delivery| left.put_off(delivery, AGAIN));
        self.leave(left).await;
    }

    /// `None` when the worker leaves before the store has answered.
    async fn claim(&self, claims: &[Claim]) -> Option<Vec<ClaimOutcome>> {
        let (mut waits, mut told) = (BACKOFF.waits(), false);
        loop {
            let takeover = self.vitals.sound_for(self.lease);
            let error = match self.store.claim(self.worker, claims, takeover).await {
                Ok(outcomes) => return Some(outcomes),
                Err(error) => error,
            };
            if !std::mem::replace(&mut told, true) {
                let (code, tasks) = (error.code(), claims.len());
                tracing::warn!(code, %error, tasks, "claims wait for the store");
            }
            self.stop.run_until_cancelled(time::sleep(waits.after_failure())).await?;
        }
    }

    async fn apply(
        &self,
        task: Arc<Task>,
        delivery: Delivery,
        outcome: ClaimOutcome,
        left: &mut Left,
    ) -> Option<Job> {
        let job = |token, crashes| {
            let claimed = Claimed { id: task.id, queue: delivery.receipt.queue, token };
            Job::new(Arc::clone(&task), delivery.clone(), claimed, crashes)
        };
        match outcome {
            ClaimOutcome::Run { token, crashes } if task.expires_at <= Timestamp::now() => {
                let failure = Failure::new(ErrorClass::Timeout, task.lateness());
                self.end(job(token, crashes), DeadReason::Expired, failure).await;
                None
            }
            ClaimOutcome::Run { token, crashes } => Some(job(token, crashes)),
            ClaimOutcome::Poison { token, crashes } => {
                let failure =
                    Failure::new(ErrorClass::Other, format!("{crashes} workers died while they ran it"));
                self.end(job(token, crashes), DeadReason::Poison, failure).await;
                None
            }
            ClaimOutcome::Drop => {
                left.done.push(delivery.receipt);
                None
            }
            ClaimOutcome::Held { retry_in } => {
                left.put_off(delivery, retry_in);
                None
            }
        }
    }

    async fn leave(&self, left: Left) {
        let mut done = left.done;
        done.extend(self.hold(&left.entries, left.held).await);
        receipts::acknowledge(&*self.broker, done).await;
    }

    /// Puts messages whose time it is not into the schedule set, in one step: a dead worker's tasks come many
    /// at once.
    /// Answers which the broker may forget now: all, or none when the set did not take them and they went
    /// back.
    pub(super) async fn hold(&self, entries: &[Scheduled], held: Vec<Receipt>) -> Vec<Receipt> {
        if held.is_empty() {
            return held;
        }
        let Err(error) = self.store.schedule(entries).await else { return held };
        self.give_back(held, &error).await;
        Vec::new()
    }

    async fn end(&self, job: Job, reason: DeadReason, failure: Failure) {
        // Fails only when the settler is gone; then the claim ends with this worker's lease.
        let _ = self
            .outcomes
            .send(Ended { job: Arc::new(job), outcome: Outcome::Dead { reason, failure } })
            .await;
    }

    async fn give_back(&self, receipts: Vec<Receipt>, error: &StoreError) {
        tracing::warn!(code = error.code(), %error, tasks = receipts.len(), "held tasks go back to their \
            queues");
        receipts::give_back(&*self.broker, receipts).await;
    }

    /// A body that is no task: no worker can run it, so it goes to the dead letters as it is.
    pub(super) async fn dead_letter(&self, delivery: Delivery, why: &str) {
        let letter = DeadLetter {
            kind: "unreadable".into(),
            tenant: None,
            reason: DeadReason::Undeliverable,
            failure: Failure::new(ErrorClass::Validation, why),
            crashes: 0,
            died_at: Timestamp::now(),
            message: delivery.message.clone(),
        };
        match self.store.add_dead_letters(&[letter]).await {
            Ok(()) => receipts::acknowledge(&*self.broker, vec![delivery.receipt]).await,
            Err(error) => self.give_back(vec![delivery.receipt], &error).await,
        }
    }
}

pub(super) fn claim(task: &Task) -> Claim {
    Claim {
        id: task.id,
        generation: task.generation,
        ticket: rand::random(),
        kind: task.kind.clone(),
        priority: task.priority,
        attempt: task.attempt,
        enqueued_at: task.enqueued_at,
        expires_at: task.expires_at,
    }
}
