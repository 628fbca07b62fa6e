//! Admit, publish, and on failure withdraw: the order in which an accepted task becomes durable. A task that
//! is refused never runs; where that cannot be promised, the answer says so and names the id with which
//! repeating is safe.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;

use super::{
    Accepted, Rejection,
    confirmed::Confirmed,
    find::{FindError, find},
    token::is_of_another_token,
};
use clawpool_backends::{
    broker::{Broker, BrokerError, Found},
    store::{Admission, Admitted, Record, Scheduled, Store, StoreError, Withdrawal, Withdrawn},
};
use clawpool_core::task::{Message, State, TaskId};

type Answer = Result<Accepted, Rejection>;

pub(super) struct Enqueuer {
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    confirmed: Confirmed,
}

impl Enqueuer {
    pub(super) fn new(broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Self {
        Self { broker, store, confirmed: Confirmed::default() }
    }

    /// Enqueues the tasks that passed the checks, and answers all in order.
    pub(super) async fn enqueue_all(&self, checked: Vec<Result<Admission, Rejection>>) -> Vec<Answer> {
        let mut good = Vec::with_capacity(checked.len());
        let checked: Vec<_> =
            checked.into_iter().map(|check| check.map(|admission| good.push(admission))).collect();
        let mut enqueued = self.enqueue(good).await.into_iter();
        let answers = checked
            .into_iter()
            .map(|check| check.and_then(|()| enqueued.next().unwrap_or_else(|| Err(unanswered().into()))));
        answers.collect()
    }

    async fn enqueue(&self, admissions: Vec<Admission>) -> Vec<Answer> {
        if admissions.is_empty() {
            return Vec::new();
        }
        let admitted = match self.store.admit(&admissions).await {
            Ok(admitted) => admitted,
            Err(error) => {
                return admissions.iter().map(|task| Err(unrecorded(task, error.clone()))).collect();
            }
        };
        let refused = self.publish_new(&admissions, &admitted).await;
        let mut failed = self.withdraw(&admissions, refused).await;
        join_all(admissions.iter().zip(admitted).map(|(admission, admitted)| {
            let failed = failed.remove(&admission.message.id).filter(|_| admitted == Admitted::New);
            async move {
                match admitted {
                    Admitted::New => failed.unwrap_or_else(|| Ok(accepted(admission))),
                    Admitted::Existing(id) => self.duplicate(admission, id).await,
                }
            }
        }))
        .await
    }

    /// Publishes the new tasks that are not delayed. Delayed ones are in the schedule set since `admit`.
    async fn publish_new(
        &self,
        admissions: &[Admission],
        admitted: &[Admitted],
    ) -> HashMap<TaskId, BrokerError> {
        let ready = admissions.iter().zip(admitted);
        let ready =
            ready.filter(|(admission, admitted)| **admitted == Admitted::New && admission.at.is_none());
        self.publish(ready.map(|(admission, _)| admission.message.clone()).collect()).await
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
        admissions: &[Admission],
        refused: HashMap<TaskId, BrokerError>,
    ) -> HashMap<TaskId, Answer> {
        if refused.is_empty() {
            return HashMap::new();
        }
        let failed =
            admissions.iter().filter_map(|task| Some((task, refused.get(&task.message.id)?.clone())));
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
                Withdrawn::Done => Err(error.into()),
                Withdrawn::TooLate => Ok(accepted(task)),
                Withdrawn::Wanted => Err(Rejection::in_doubt(id, error.code(), error)),
            };
            (id, answer)
        });
        answers.collect()
    }

    /// Answers a task whose id or unique key is known already.
    ///
    /// The record alone does not prove a message: its dispatcher may have died between admit and publish, may
    /// be about to withdraw it, or its queue was purged since. So unless this process saw the message
    /// confirmed, a task that never ran is kept from being withdrawn; and one whose message is not found is
    /// published once more before it is answered for. A surplus message is dropped at its claim (INV-1).
    async fn duplicate(&self, admission: &Admission, id: TaskId) -> Answer {
        let silent = |error: StoreError| Rejection::in_doubt(id, error.code(), error);
        let Some(record) = self.store.record(id).await.map_err(silent)? else {
            return self.anew(admission, id).await;
        };
        if id == admission.message.id && is_of_another_token(&record, admission) {
            return Err(Rejection::taken(id));
        }
        let vouched = !never_ran(&record) || self.confirmed.contains(id);
        if !vouched && !self.store.confirm(id).await.map_err(silent)? {
            return Err(Rejection::withdrawn(id));
        }
        if self.is_lost(&record).await? {
            let message = revived(admission, &record)?;
            if let Some(at) = admission.at {
                self.store.schedule(&[Scheduled { message, at }]).await.map_err(silent)?;
            } else if let Some(error) = self.publish(vec![message]).await.remove(&id) {
                return Err(Rejection::in_doubt(id, error.code(), error));
            }
        }
        let due_at = record.due_at.filter(|_| record.state == State::Scheduled);
        Ok(Accepted {
            id,
            priority: record.priority,
            queue: record.priority.queue(),
            duplicate: true,
            due_at,
            warnings: Vec::new(),
        })
    }

    async fn is_lost(&self, record: &Record) -> Result<bool, Rejection> {
        let id = record.id;
        let found = find(&*self.store, &*self.broker, record).await.map_err(|error| match error {
            FindError::Store(error) => Rejection::in_doubt(id, error.code(), error),
            FindError::Broker(error) => Rejection::in_doubt(id, error.code(), error),
        })?;
        Ok(match found {
            Some(Found::Gone) => true,
            // Where the broker cannot look, the message is taken for lost when the queue is empty or it was
            // long ago.
            Some(Found::Unknown) if self.confirmed.is_fresh(record.id) => {
                let depth = self.broker.depth(record.priority.queue()).await;
                depth.map_err(|error| Rejection::in_doubt(id, error.code(), error))?.ready == 0
            }
            Some(Found::Unknown) => true,
            Some(Found::There | Found::Restored) | None => false,
        })
    }

    /// Its record was withdrawn at this moment, or could not be read and was set aside: then it is like any
    /// other new task.
    async fn anew(&self, admission: &Admission, id: TaskId) -> Answer {
        if id != admission.message.id {
            return Err(Rejection::withdrawn(id));
        }
        let task = std::slice::from_ref(admission);
        let admitted = self.store.admit(task).await.map_err(|error| unrecorded(admission, error))?;
        if admitted != [Admitted::New] {
            return Err(Rejection::withdrawn(id));
        }
        let refused = self.publish_new(task, &admitted).await;
        let failed = self.withdraw(task, refused).await.remove(&id);
        failed.unwrap_or_else(|| Ok(accepted(admission)))
    }
}

/// A store that did not answer may have recorded the task, and put it into the schedule set.
fn unrecorded(task: &Admission, error: StoreError) -> Rejection {
    match error {
        StoreError::Unavailable { .. } => Rejection::in_doubt(task.message.id, error.code(), error),
        error => error.into(),
    }
}

fn withdrawal(task: &Admission, error: &BrokerError) -> Withdrawal {
    let Message { id, expires_at, .. } = task.message;
    Withdrawal { id, until: error.is_doubtful().then_some(expires_at) }
}

fn accepted(admission: &Admission) -> Accepted {
    let Message { id, priority, .. } = admission.message;
    Accepted {
        id,
        priority,
        queue: priority.queue(),
        duplicate: false,
        due_at: admission.at,
        warnings: Vec::new(),
    }
}

fn never_ran(record: &Record) -> bool {
    record.state == State::Queued
        && record.generation == 0
        && record.attempt == 0
        && record.started_at.is_none()
}

/// The message of a known task, made from the one that repeats it. It queues behind the first, if there is a
/// first.
fn revived(admission: &Admission, record: &Record) -> Result<Message, Rejection> {
    let mut task = admission.message.task().map_err(|error| Rejection::internal("CP-1120", error))?;
    task.id = record.id;
    task.priority = record.priority;
    task.generation = record.generation;
    task.attempt = record.attempt;
    task.to_message().map_err(|error| Rejection::internal("CP-1120", error))
}

/// A backend that answers fewer messages than it was given breaks its contract; its silence is not a yes.
fn unanswered() -> BrokerError {
    BrokerError::Unconfirmed { broker: "the broker", reason: "it left a message unanswered".into() }
}
