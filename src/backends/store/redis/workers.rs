//! Workers: a set of them, a hash for each, and a list of the orders that wait for its next beat.

use async_trait::async_trait;
use bytes::Bytes;

use super::{BATCH, RedisStore, connections, corrupt, error::failure, lease_end::Dead, millis, scripts};
use crate::backend::redis::queue_name::queue_after_priority;
use crate::{
    backend::StoredItem,
    store::{
        Beat, Claimed, Orders, Question, StoreError, WorkerInfo, WorkerStore,
        stored_beat::{self, named},
    },
};
use clawpool_core::task::{ProcessId, Queue, TaskId, Timestamp};

#[async_trait]
impl WorkerStore for RedisStore {
    async fn beat(&self, beat: &Beat) -> Result<Orders, StoreError> {
        let said = Beat { progress: Vec::new(), ..beat.clone() };
        let mut call = self.call(&scripts::BEAT);
        call.arg(beat.worker.as_bytes()).arg(stored_beat::pack(&said).map_err(corrupt)?);
        call.arg(millis(beat.lease));
        for (id, news) in &beat.progress {
            call.arg(id.as_bytes()).arg(news);
        }
        // Over the same connection, which may be a new one; both are on their way at once.
        let ((), answer) = tokio::join!(self.connections.name(&self.link, beat.worker), self.run(&call));
        let (drain, orders, paused, open): (bool, Vec<Bytes>, Vec<Bytes>, u64) = answer?;
        let mut all = Orders { drain, paused: queues(&paused), queues: open, ..Orders::default() };
        orders.iter().for_each(|order| _ = take(order, &mut all));
        Ok(all)
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        let rows: Vec<(Bytes, Bytes, u64, u64, bool)> = self.run(&self.call(&scripts::WORKERS)).await?;
        let mut workers = Vec::with_capacity(rows.len());
        for (id, said, beats, last, alive) in rows {
            let beat = stored_beat::unpack(&said).ok().filter(|beat| beat.worker.as_bytes()[..] == *id);
            match beat {
                Some(beat) => {
                    workers.push(WorkerInfo { beat, beats, last_beat: Timestamp::from_millis(last), alive })
                }
                // Its next beat makes it readable.
                None if alive => tracing::debug!(?id, "a worker's heartbeat cannot be read"),
                None => self.set_aside(StoredItem::Heartbeat, &id, &[]).await?,
            }
        }
        Ok(workers)
    }

    async fn connected(&self, workers: &[ProcessId]) -> Result<Option<Vec<ProcessId>>, StoreError> {
        connections::named(&self.link, workers).await.map_err(|error| failure(&error))
    }

    async fn drain(&self, worker: ProcessId) -> Result<bool, StoreError> {
        self.mark(worker, "D", "1").await
    }

    async fn end_lease(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError> {
        self.end_lease_of(Dead::Seen(worker), polled).await
    }

    async fn ask(&self, questions: &[Question]) -> Result<(), StoreError> {
        for chunk in questions.chunks(BATCH) {
            let mut call = self.call(&scripts::ASK);
            for Question { worker, task, token } in chunk {
                call.arg(worker.as_bytes()).arg(task.as_bytes()).arg(token);
            }
            self.run::<()>(&call).await?;
        }
        Ok(())
    }

    async fn forget(&self, worker: ProcessId) -> Result<(), StoreError> {
        let mut call = self.call(&scripts::FORGET);
        call.arg(worker.as_bytes());
        self.run(&call).await
    }
}

impl RedisStore {
    async fn mark(&self, worker: ProcessId, field: &str, value: &str) -> Result<bool, StoreError> {
        let mut call = self.call(&scripts::MARK_WORKER);
        call.arg(worker.as_bytes()).arg(field).arg(value);
        self.run(&call).await
    }
}

/// None for what is no order of this program.
fn take(order: &[u8], all: &mut Orders) -> Option<()> {
    let (what, rest) = order.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    let id = TaskId::from_bytes(*id);
    match (what, rest) {
        (b'c', []) => all.cancel.push(id),
        (b'l', []) => all.lost.push(id),
        (b'q', rest) => {
            let (token, rest) = rest.split_first_chunk()?;
            let queue = queue_after_priority(rest)?;
            all.asked.push(Claimed { id, queue, token: u64::from_be_bytes(*token) });
        }
        _ => return None,
    }
    Some(())
}

/// What names no queue is passed over: every worker's heartbeat reads this.
pub(super) fn queues(names: &[Bytes]) -> Vec<Queue> {
    let mut queues: Vec<Queue> =
        names.iter().filter_map(|name| std::str::from_utf8(name).ok()).flat_map(named).collect();
    queues.sort_unstable();
    queues.dedup();
    queues
}
