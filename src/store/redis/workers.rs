//! Workers: a set of them, a hash for each, and a list of the orders that wait for its next beat.

use async_trait::async_trait;
use bytes::Bytes;

use super::{RedisStore, burial::Dead, corrupt, millis, scripts};
use crate::{
    store::{Beat, Orders, StoreError, WorkerInfo, WorkerStore},
    task::{Queue, TaskId, Timestamp, WorkerId},
};

#[async_trait]
impl WorkerStore for RedisStore {
    async fn beat(&self, beat: &Beat) -> Result<Orders, StoreError> {
        let said = Beat { progress: Vec::new(), ..beat.clone() };
        let mut call = self.call(&scripts::BEAT);
        call.arg(beat.worker.as_bytes()).arg(rmp_serde::to_vec_named(&said).map_err(corrupt)?);
        call.arg(millis(beat.lease));
        for (id, news) in &beat.progress {
            call.arg(id.as_bytes()).arg(news);
        }
        let (drain, orders, paused): (bool, Vec<Bytes>, Vec<String>) = self.run(&call).await?;
        let mut all = Orders { drain, paused: queues(&paused)?, ..Orders::default() };
        for order in orders {
            let (what, id) = order.split_first().ok_or_else(|| corrupt("an order is empty"))?;
            let id = TaskId::from_bytes(id.try_into().map_err(|_| corrupt("an order names no task"))?);
            let list = if *what == b'c' { &mut all.cancel } else { &mut all.lost };
            list.push(id);
        }
        Ok(all)
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        let rows: Vec<(Vec<u8>, u64, u64, bool)> = self.run(&self.call(&scripts::WORKERS)).await?;
        let info = |(said, beats, last, alive): (Vec<u8>, u64, u64, bool)| {
            let beat = rmp_serde::from_slice(&said).map_err(corrupt)?;
            Ok(WorkerInfo { beat, beats, last_beat: Timestamp::from_millis(last), alive })
        };
        rows.into_iter().map(info).collect()
    }

    async fn drain(&self, worker: WorkerId) -> Result<bool, StoreError> {
        self.mark(worker, "D", "1").await
    }

    async fn bury(&self, worker: WorkerId) -> Result<Vec<TaskId>, StoreError> {
        self.bury_dead(Dead::Seen(worker)).await
    }

    async fn forget(&self, worker: WorkerId) -> Result<(), StoreError> {
        let mut call = self.call(&scripts::FORGET);
        call.arg(worker.as_bytes());
        self.run(&call).await
    }
}

impl RedisStore {
    async fn mark(&self, worker: WorkerId, field: &str, value: &str) -> Result<bool, StoreError> {
        let mut call = self.call(&scripts::MARK_WORKER);
        call.arg(worker.as_bytes()).arg(field).arg(value);
        self.run(&call).await
    }
}

pub(super) fn queues(names: &[String]) -> Result<Vec<Queue>, StoreError> {
    names.iter().map(|name| name.parse().map_err(corrupt)).collect()
}
