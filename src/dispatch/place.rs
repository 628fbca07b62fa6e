//! Admit, publish, and on failure withdraw: the order in which an accepted task becomes durable.

use std::sync::Arc;

use futures::future::join_all;

use super::{Accepted, FindError, Rejection, confirmed::Confirmed, find};
use crate::{
    broker::{Broker, BrokerError, Found},
    store::{Admission, Admitted, Record, Store},
    task::{Message, State, TaskId},
};

type Answer = Result<Accepted, Rejection>;

pub(super) struct Place {
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    confirmed: Confirmed,
}

impl Place {
    pub(super) fn new(broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Self {
        Self { broker, store, confirmed: Confirmed::default() }
    }

    /// Places what passed the checks, and answers all in order.
    pub(super) async fn all(&self, checked: Vec<Result<Admission, Rejection>>) -> Vec<Answer> {
        let mut good = Vec::with_capacity(checked.len());
        let checked: Vec<_> = checked.into_iter().map(|check| check.map(|admission| good.push(admission))).collect();
        let mut placed = self.place(good).await.into_iter();
        let answers = checked.into_iter().map(|check| check.and_then(|()| placed.next().unwrap_or_else(unanswered)));
        answers.collect()
    }

    async fn place(&self, admissions: Vec<Admission>) -> Vec<Answer> {
        if admissions.is_empty() {
            return Vec::new();
        }
        let admitted = match self.store.admit(&admissions).await {
            Ok(admitted) => admitted,
            Err(error) => return vec![Err(error.into()); admissions.len()],
        };
        let mut published = self.publish_new(&admissions, &admitted).await.into_iter();
        let mut failed = Vec::new();
        let mut answers = Vec::with_capacity(admissions.len());
        for (admission, admitted) in admissions.iter().zip(&admitted) {
            answers.push(match admitted {
                Admitted::Existing(id) => Err(*id),
                Admitted::New if admission.at.is_some() => Ok(Ok(accepted(admission))),
                Admitted::New => Ok(match published.next().unwrap_or_else(unanswered) {
                    Ok(()) => Ok(accepted(admission)),
                    Err(rejection) => {
                        failed.push(admission.message.id);
                        Err(rejection)
                    }
                }),
            });
        }
        self.withdraw(&failed).await;
        join_all(answers.into_iter().zip(&admissions).map(|(answer, admission)| async move {
            match answer {
                Ok(answer) => answer,
                Err(id) => self.duplicate(admission, id).await,
            }
        }))
        .await
    }

    /// Publishes the new tasks that are not delayed. Delayed ones are in the schedule set since `admit`.
    async fn publish_new(&self, admissions: &[Admission], admitted: &[Admitted]) -> Vec<Result<(), Rejection>> {
        let ready = admissions.iter().zip(admitted);
        let ready = ready.filter(|(admission, admitted)| **admitted == Admitted::New && admission.at.is_none());
        self.publish(ready.map(|(admission, _)| admission.message.clone()).collect()).await
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), Rejection>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let ids: Vec<TaskId> = messages.iter().map(|message| message.id).collect();
        let answers = self.broker.publish(messages).await;
        let durable = ids.into_iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(id, _)| id);
        self.confirmed.remember(durable);
        answers.into_iter().map(|answer| answer.map_err(Rejection::from)).collect()
    }

    /// Forgets tasks that no queue took. When the store fails too, a record without a message is left: harmless, since
    /// nobody was told that the task is accepted, and mended by [`Self::duplicate`] when its producer tries again.
    async fn withdraw(&self, failed: &[TaskId]) {
        if failed.is_empty() {
            return;
        }
        if let Err(error) = self.store.withdraw(failed).await {
            tracing::warn!(code = error.code(), %error, tasks = failed.len(), "tasks that were refused left records behind");
        }
    }

    /// Answers a task whose id or unique key is known already.
    ///
    /// The record alone does not prove a message: its dispatcher may have died between admit and publish, may be about to
    /// withdraw it, or its queue was purged since. So unless the message is found, or was confirmed a moment ago, a task
    /// that waits is published once more before it is answered for; a surplus message is dropped at its claim (INV-1).
    async fn duplicate(&self, admission: &Admission, id: TaskId) -> Answer {
        let Some(record) = self.store.record(id).await? else {
            return self.anew(admission, id).await;
        };
        if self.is_lost(&record).await? {
            let message = revived(admission, &record)?;
            self.publish(vec![message]).await.pop().unwrap_or_else(unanswered)?;
        }
        let due_at = record.due_at.filter(|_| record.state == State::Scheduled);
        Ok(Accepted { id, priority: record.priority, queue: record.priority.queue(), duplicate: true, due_at })
    }

    async fn is_lost(&self, record: &Record) -> Result<bool, Rejection> {
        let found = find(&*self.store, &*self.broker, record).await.map_err(|error| match error {
            FindError::Store(error) => Rejection::from(error),
            FindError::Broker(error) => Rejection::from(error),
        })?;
        Ok(match found {
            Some(Found::Gone) => true,
            // Where nobody can look, an empty queue says enough.
            Some(Found::Unknown) if self.confirmed.contains(record.id) => {
                self.broker.depth(record.priority.queue()).await?.ready == 0
            }
            Some(Found::Unknown) => true,
            Some(Found::There | Found::Restored) | None => false,
        })
    }

    /// Its record was withdrawn at this moment, or could not be read and was set aside: then it is like any other new task.
    async fn anew(&self, admission: &Admission, id: TaskId) -> Answer {
        if id != admission.message.id {
            return Err(Rejection::withdrawn(id));
        }
        let admitted = self.store.admit(std::slice::from_ref(admission)).await?;
        if admitted != [Admitted::New] {
            return Err(Rejection::withdrawn(id));
        }
        if let Some(Err(rejection)) = self.publish_new(std::slice::from_ref(admission), &admitted).await.pop() {
            self.withdraw(&[id]).await;
            return Err(rejection);
        }
        Ok(accepted(admission))
    }
}

fn accepted(admission: &Admission) -> Accepted {
    let Message { id, priority, .. } = admission.message;
    Accepted { id, priority, queue: priority.queue(), duplicate: false, due_at: admission.at }
}

/// The message of a known task, made from the one that repeats it. It queues behind the first, if there is a first.
fn revived(admission: &Admission, record: &Record) -> Result<Message, Rejection> {
    let mut task = admission.message.task().map_err(|error| Rejection::internal("CP-1120", error))?;
    task.id = record.id;
    task.priority = record.priority;
    task.generation = record.generation;
    task.attempt = record.attempt;
    task.to_message().map_err(|error| Rejection::internal("CP-1120", error))
}

/// A backend that answers fewer messages than it was given breaks its contract; its silence is not a yes.
fn unanswered<T>() -> Result<T, Rejection> {
    Err(BrokerError::Refused { broker: "the broker", reason: "it left a message unanswered".into() }.into())
}
