//! Admit, publish, and on failure withdraw: the order in which an accepted task becomes durable. A task that
//! is refused never runs; where that cannot be promised, the answer says so and names the id with which
//! repeating is safe.

use std::collections::HashMap;

use futures::future::join_all;

use super::{Apart, find::find};
use crate::{
    broker::{BrokerError, Found},
    path::{Offered, Refusal},
    store::{Admission, Admitted, Record, Scheduled, StoreError, Withdrawal, Withdrawn},
};
use clawpool_core::task::{Message, State, TaskId};

type Known = Result<Box<Record>, Refusal>;

impl Apart {
    pub(super) async fn enqueue(&self, tasks: &[Admission]) -> Vec<Offered> {
        if tasks.is_empty() {
            return Vec::new();
        }
        let admitted = match self.store.admit(tasks).await {
            Ok(admitted) => admitted,
            Err(error) => {
                return tasks.iter().map(|task| Offered::Refused(unrecorded(task, error.clone()))).collect();
            }
        };
        let refused = self.publish_new(tasks, &admitted).await;
        let mut failed = self.withdraw(tasks, refused).await;
        join_all(tasks.iter().zip(admitted).map(|(task, admitted)| {
            let failed = failed.remove(&task.message.id).filter(|_| admitted == Admitted::New);
            async move {
                match admitted {
                    Admitted::New => failed.unwrap_or(Offered::New),
                    Admitted::Existing(id) => self.repeated(task, id).await,
                }
            }
        }))
        .await
    }

    /// Publishes the new tasks that are not delayed. Delayed ones are in the schedule set since `admit`.
    async fn publish_new(&self, tasks: &[Admission], admitted: &[Admitted]) -> HashMap<TaskId, BrokerError> {
        let ready = tasks.iter().zip(admitted);
        let ready = ready.filter(|(task, admitted)| **admitted == Admitted::New && task.at.is_none());
        self.publish(ready.map(|(task, _)| task.message.clone()).collect()).await
    }

    /// Returns what was not confirmed.
    async fn publish(&self, messages: Vec<Message>) -> HashMap<TaskId, BrokerError> {
        if messages.is_empty() {
            return HashMap::new();
        }
        let ids: Vec<TaskId> = messages.iter().map(|message| message.id).collect();
        let mut answers = self.broker.publish(messages).await.into_iter();
        let answers = ids.iter().map(|id| (*id, answers.next().unwrap_or_else(|| Err(unanswered()))));
        let (durable, refused): (Vec<_>, Vec<_>) = answers.partition(|(_, answer)| answer.is_ok());
        self.confirmed.remember(durable.into_iter().map(|(id, _)| id));
        refused.into_iter().filter_map(|(id, answer)| Some((id, answer.err()?))).collect()
    }

    /// Takes back tasks that no queue took, or perhaps took, and answers for them. A producer that is told
    /// "nothing was taken" may send the same again without an id: then nothing of the first may run, however
    /// late its message turns up.
    async fn withdraw(
        &self,
        tasks: &[Admission],
        refused: HashMap<TaskId, BrokerError>,
    ) -> HashMap<TaskId, Offered> {
        if refused.is_empty() {
            return HashMap::new();
        }
        let failed = tasks.iter().filter_map(|task| Some((task, refused.get(&task.message.id)?.clone())));
        let failed: Vec<(&Admission, BrokerError)> = failed.collect();
        let withdrawals: Vec<Withdrawal> =
            failed.iter().map(|(task, error)| withdrawal(task, error)).collect();
        let outcomes = self.store.withdraw(&withdrawals).await.unwrap_or_else(|error| {
            tracing::warn!(code = error.code(), %error, tasks = withdrawals.len(), "refused tasks left \
                records behind");
            vec![Withdrawn::Wanted; withdrawals.len()]
        });
        let answers = failed.into_iter().zip(outcomes).map(|((task, error), outcome)| {
            let id = task.message.id;
            let answer = match outcome {
                Withdrawn::Done => Offered::Refused(error.into()),
                Withdrawn::TooLate => Offered::New,
                Withdrawn::Wanted => Offered::Refused(Refusal::InDoubt(id, error.into())),
            };
            (id, answer)
        });
        answers.collect()
    }

    /// Answers a task whose id or unique key is known already.
    pub(in crate::path) async fn repeated(&self, task: &Admission, id: TaskId) -> Offered {
        let in_doubt = |error: StoreError| Refusal::InDoubt(id, error.into());
        let known = match self.store.record(id).await.map_err(in_doubt) {
            Ok(Some(record)) => self.known(task, record).await,
            Ok(None) => return self.anew(task, id).await,
            Err(refusal) => Err(refusal),
        };
        known.map_or_else(Offered::Refused, Offered::Known)
    }

    /// The record alone does not prove a message: its dispatcher may have died between admit and publish, may
    /// be about to withdraw it, or its queue was purged since. So unless this process saw the message
    /// confirmed, a task that never ran is kept from being withdrawn; and one whose message is not found is
    /// published once more before it is answered for. A surplus message is dropped at its claim (INV-1).
    async fn known(&self, task: &Admission, record: Record) -> Known {
        let id = record.id;
        let in_doubt = |error: StoreError| Refusal::InDoubt(id, error.into());
        if id == task.message.id && record.is_of_another_token(task) {
            return Err(Refusal::OfAnother(id));
        }
        if id == task.message.id && record.is_another_than(task) {
            return Err(Refusal::Conflict(id));
        }
        let vouched = !never_ran(&record) || self.confirmed.contains(id);
        if !vouched && !self.store.confirm(id).await.map_err(in_doubt)? {
            return Err(Refusal::Withdrawn(id));
        }
        if self.is_lost(&record).await? {
            let message = revived(task, &record)?;
            if let Some(at) = task.at {
                self.store.schedule(&[Scheduled { message, at }]).await.map_err(in_doubt)?;
            } else if let Some(error) = self.publish(vec![message]).await.remove(&id) {
                return Err(Refusal::InDoubt(id, error.into()));
            }
        }
        Ok(Box::new(record))
    }

    async fn is_lost(&self, record: &Record) -> Result<bool, Refusal> {
        let id = record.id;
        let found = find(&*self.store, &*self.broker, record).await;
        Ok(match found.map_err(|error| Refusal::InDoubt(id, error))? {
            Some(Found::Gone) => true,
            // Where the broker cannot look, the message is taken for lost when the queue is empty or it was
            // long ago.
            Some(Found::Unknown) if self.confirmed.is_fresh(id) => {
                let depth = self.broker.depth(record.queue).await;
                depth.map_err(|error| Refusal::InDoubt(id, error.into()))?.ready == 0
            }
            Some(Found::Unknown) => true,
            Some(Found::There | Found::Restored) | None => false,
        })
    }

    /// Its record was withdrawn at this moment, or could not be read and was set aside: then it is like any
    /// other new task.
    async fn anew(&self, task: &Admission, id: TaskId) -> Offered {
        if id != task.message.id {
            return Offered::Refused(Refusal::Withdrawn(id));
        }
        let tasks = std::slice::from_ref(task);
        let admitted = match self.store.admit(tasks).await {
            Ok(admitted) if admitted == [Admitted::New] => admitted,
            Ok(_) => return Offered::Refused(Refusal::Withdrawn(id)),
            Err(error) => return Offered::Refused(unrecorded(task, error)),
        };
        let refused = self.publish_new(tasks, &admitted).await;
        self.withdraw(tasks, refused).await.remove(&id).unwrap_or(Offered::New)
    }
}

/// A store that did not answer may have recorded the task, and put it into the schedule set.
pub(in crate::path) fn unrecorded(task: &Admission, error: StoreError) -> Refusal {
    match error {
        StoreError::Unavailable { .. } => Refusal::InDoubt(task.message.id, error.into()),
        error => error.into(),
    }
}

fn withdrawal(task: &Admission, error: &BrokerError) -> Withdrawal {
    let Message { id, expires_at, .. } = task.message;
    Withdrawal { id, until: error.is_doubtful().then_some(expires_at) }
}

fn never_ran(record: &Record) -> bool {
    record.state == State::Queued
        && record.generation == 0
        && record.attempt == 0
        && record.started_at.is_none()
}

/// The message of a known task, made from the one that repeats it. It queues behind the first, if there is a
/// first.
fn revived(repetition: &Admission, record: &Record) -> Result<Message, Refusal> {
    let mut task = repetition.message.task().map_err(Refusal::Unwritable)?;
    task.id = record.id;
    task.priority = record.queue.priority();
    task.queue = record.queue.own();
    task.generation = record.generation;
    task.attempt = record.attempt;
    task.to_message().map_err(Refusal::Unwritable)
}

/// A backend that answers fewer messages than it was given breaks its contract; its silence is not a yes.
fn unanswered() -> BrokerError {
    BrokerError::Unconfirmed { broker: "the broker", reason: "it left a message unanswered".into() }
}
