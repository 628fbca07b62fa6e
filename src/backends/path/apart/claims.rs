//! Asks the store whether delivered messages may run, and disposes of those that may not.

use std::{sync::Arc, time::Duration};

use tokio::time;

use super::{
    finish::{acknowledge, give_back},
    source::ApartSource,
};
use crate::{
    broker::{Delivery, Receipt},
    path::TakenTask,
    store::{Claim, ClaimOutcome, Claimed, DeadLetter, Scheduled},
};
use clawpool_core::{
    retry::Backoff,
    task::{DeadReason, ErrorClass, Failure, Message, Task, Timestamp},
};

/// While the store does not answer. Work goes on within a second of its return.
const BACKOFF: Backoff = Backoff::millis::<50, 500>();

/// What a batch of claims leaves to do.
#[derive(Default)]
struct Left {
    /// Held for a while, with their entries in the schedule set.
    held: Vec<Receipt>,
    entries: Vec<Scheduled>,
    done: Vec<Receipt>,
}

impl ApartSource {
    /// Those that run now. Waits while the store does not answer, and gives all back when the worker leaves
    /// meanwhile.
    pub(super) async fn claim_all(&self, deliveries: Vec<Delivery>) -> Vec<TakenTask> {
        let mut asked = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match delivery.message.task() {
                Ok(task) => asked.push((Arc::new(task), delivery)),
                Err(error) => self.dead_letter(delivery, &error.to_string()).await,
            }
        }
        if asked.is_empty() {
            return Vec::new();
        }
        let claims: Vec<Claim> = asked.iter().map(|(task, _)| claim(task)).collect();
        let Some(outcomes) = self.claim(&claims).await else {
            let receipts = asked.into_iter().map(|(_, delivery)| delivery.receipt).collect();
            give_back(&*self.path.broker, receipts).await;
            return Vec::new();
        };
        let mut left = Left::default();
        let answers = asked.into_iter().zip(outcomes);
        let taken = answers.filter_map(|((task, delivery), outcome)| left.apply(task, delivery, outcome));
        let taken = taken.collect();
        self.leave(left).await;
        taken
    }

    /// `None` when the worker leaves before the store has answered.
    async fn claim(&self, claims: &[Claim]) -> Option<Vec<ClaimOutcome>> {
        let mut waits = BACKOFF.waits();
        let mut told = false;
        loop {
            let takeover = (self.taker.sees_silence)();
            let error = match self.path.store.claim(self.taker.worker, claims, takeover).await {
                Ok(outcomes) => return Some(outcomes),
                Err(error) => error,
            };
            if !std::mem::replace(&mut told, true) {
                let tasks = claims.len();
                tracing::warn!(code = error.code(), %error, tasks, "claims wait for the store");
            }
            self.taker.stop.run_until_cancelled(time::sleep(waits.after_failure())).await?;
        }
    }

    /// Puts messages whose time it is not into the schedule set, in one step: a dead worker's tasks come many
    /// at once. Only what the set has may be forgotten by the broker.
    async fn leave(&self, left: Left) {
        let mut done = left.done;
        if !left.held.is_empty() {
            match self.path.store.schedule(&left.entries).await {
                Ok(()) => done.extend(left.held),
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, tasks = left.held.len(), "held tasks go back \
                        to their queues");
                    give_back(&*self.path.broker, left.held).await;
                }
            }
        }
        acknowledge(&*self.path.broker, done).await;
    }

    /// A body that is no task: no worker can run it, so it goes to the dead letters as it is.
    async fn dead_letter(&self, delivery: Delivery, why: &str) {
        let letter = unreadable(delivery.message.clone(), why);
        match self.path.store.add_dead_letters(&[letter]).await {
            Ok(()) => acknowledge(&*self.path.broker, vec![delivery.receipt]).await,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "a message that is no task goes back");
                give_back(&*self.path.broker, vec![delivery.receipt]).await;
            }
        }
    }
}

/// The letter of a body that is no task.
pub(in crate::path) fn unreadable(message: Message, why: &str) -> DeadLetter {
    DeadLetter {
        kind: "unreadable".into(),
        tenant: None,
        reason: DeadReason::Undeliverable,
        failure: Failure::new(ErrorClass::Validation, why),
        crashes: 0,
        died_at: Timestamp::now(),
        message,
    }
}

impl Left {
    /// The task, where it runs.
    fn apply(&mut self, task: Arc<Task>, delivery: Delivery, outcome: ClaimOutcome) -> Option<TakenTask> {
        let (token, crashes, is_poison) = match outcome {
            ClaimOutcome::Run { token, crashes } => (token, crashes, false),
            ClaimOutcome::Poison { token, crashes } => (token, crashes, true),
            ClaimOutcome::Drop => {
                self.done.push(delivery.receipt);
                return None;
            }
            ClaimOutcome::Held { retry_in } => {
                self.put_off(delivery, retry_in);
                return None;
            }
        };
        let receipt = delivery.receipt;
        let claimed = Claimed { id: task.id, queue: receipt.queue, token };
        Some(TakenTask { task, claimed, crashes, is_poison, receipt })
    }

    /// It is not its time. The set keeps the message until then.
    fn put_off(&mut self, delivery: Delivery, wait: Duration) {
        self.entries.push(Scheduled { message: delivery.message, at: Timestamp::now() + wait });
        self.held.push(delivery.receipt);
    }
}

pub(in crate::path) fn claim(task: &Task) -> Claim {
    Claim {
        id: task.id,
        generation: task.generation,
        ticket: rand::random(),
        kind: task.kind.clone(),
        queue: task.queue(),
        attempt: task.attempt,
        enqueued_at: task.enqueued_at,
        expires_at: task.expires_at,
    }
}
