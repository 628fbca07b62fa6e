//! Accepting tasks: record, unique key and message in one step.

use std::collections::BTreeSet;

use super::{RedisPath, scripts};
use crate::backend::redis::queue_name::name;
use crate::{
    backend::redis::packed,
    broker::{BrokerError, redis::BATCH},
    path::{Offered, PathError, Refusal},
    store::{
        Admission, StoreError,
        redis::{MARGIN, corrupt, millis, record},
    },
};
use clawpool_core::task::{Queue, TaskId};

/// Bytes of messages in one script.
const VOLUME: usize = 4 << 20;

impl RedisPath {
    pub(super) async fn offer_all(&self, tasks: &[Admission]) -> Vec<Offered> {
        let mut answers = Vec::with_capacity(tasks.len());
        let mut rest = tasks;
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(fitting(rest));
            rest = later;
            match self.offer_chunk(chunk).await {
                Ok(offered) => answers.extend(offered),
                Err(error) => answers.extend(chunk.iter().map(|task| unanswered(task, &error))),
            }
        }
        answers
    }

    async fn offer_chunk(&self, tasks: &[Admission]) -> Result<Vec<Offered>, StoreError> {
        let mut call = self.store.call(&scripts::OFFER);
        call.arg(millis(MARGIN)).arg(self.store.remembered());
        let queues: BTreeSet<Queue> = tasks.iter().map(|task| task.message.queue).collect();
        call.arg(queues.len());
        for queue in queues {
            call.arg(&*name(queue)).arg(self.shared.limits.get(queue));
        }
        for task in tasks {
            let message = &task.message;
            call.arg(&packed::entry(message.id, message.generation))
                .arg(record::fresh(task))
                .arg(packed::pack(message));
        }
        let others: Vec<(usize, Vec<u8>)> = self.store.run(&call).await?;
        let mut others = others.into_iter().peekable();
        let mut answers = Vec::with_capacity(tasks.len());
        for (position, task) in tasks.iter().enumerate() {
            answers.push(match others.next_if(|(other, _)| *other == position) {
                Some((_, id)) => self.not_added(task, &id).await?,
                None => Offered::New,
            });
        }
        let delayed = |task: &&Admission| task.at.is_none();
        let new = tasks.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Offered::New));
        self.apart.saw_confirmed(new.map(|(task, _)| task).filter(delayed).map(|task| task.message.id));
        Ok(answers)
    }

    async fn not_added(&self, task: &Admission, there: &[u8]) -> Result<Offered, StoreError> {
        if there.is_empty() {
            let queue = task.message.queue;
            let full = BrokerError::Full { queue, limit: self.shared.limits.get(queue) };
            return Ok(Offered::Refused(full.into()));
        }
        let id = there.try_into().map_err(|_| corrupt("a unique key names no task"))?;
        Ok(self.apart.repeated(task, TaskId::from_bytes(id)).await)
    }
}

/// How many of the tasks one script takes.
fn fitting(tasks: &[Admission]) -> usize {
    let mut volume = 0;
    let fits = |task: &&Admission| {
        volume += task.message.body.len();
        volume <= VOLUME
    };
    tasks.iter().take(BATCH).take_while(fits).count().max(1)
}

/// A server that did not answer may have taken it.
fn unanswered(task: &Admission, error: &StoreError) -> Offered {
    let error = PathError::from(error.clone());
    Offered::Refused(match &error {
        PathError::Store(StoreError::Unavailable { .. }) => Refusal::InDoubt(task.message.id, error),
        _ => Refusal::Refused(error),
    })
}
