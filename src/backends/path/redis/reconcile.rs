//! Comparing what Redis counts as run by a worker with what it has taken.

use bytes::Bytes;

use super::{RedisPath, finish::receipt, scripts};
use crate::backend::redis::queue_name::named;
use crate::{
    broker::Receipt,
    path::PathError,
    store::{Claimed, redis::corrupt},
};
use clawpool_core::task::{ProcessId, TaskId};

/// Id, generation, token and queue.
type Row = (Bytes, u32, u64, String);

impl RedisPath {
    /// One comparison. Claims that are unknown to this process in it and in the one before are given back.
    pub(super) async fn compare(&self, worker: ProcessId) -> Result<u64, PathError> {
        let held = &self.shared.held;
        if !matches!(held.comparison(worker, self.unknown.any(worker)), Some(None)) {
            return Ok(0);
        }
        let mut call = self.store.call(&scripts::CLAIMS);
        call.arg(worker.as_bytes()).arg(&*self.lanes);
        let rows = self.store.run::<Vec<Row>>(&call).await.inspect_err(|_| held.answer_lost())?;
        // Before the comparison: a take that ends in between has added its claims.
        let (_, oldest) = held.takes();
        let mut unknown = Vec::new();
        for row in rows {
            let (claimed, receipt) = claim(worker, row).ok_or_else(|| corrupt("a claim of no task"))?;
            if !held.contains(&receipt) {
                unknown.push((claimed.id, claimed.token, claimed.queue));
            }
        }
        let (next, _) = held.takes();
        let keys = unknown.iter().map(|(id, token, _)| (*id, *token));
        let lost = self.unknown.lost(worker, keys, next, oldest);
        let claims: Vec<Claimed> = unknown
            .into_iter()
            .filter(|(id, token, _)| lost.contains(&(*id, *token)))
            .map(|(id, token, queue)| Claimed { id, queue, token })
            .collect();
        let released = self.release(&claims).await?;
        Ok(released.into_iter().filter(|released| *released).count() as u64)
    }
}

/// With the receipt that its taking gave.
fn claim(worker: ProcessId, (id, generation, token, queue): Row) -> Option<(Claimed, Receipt)> {
    let id = TaskId::from_bytes(id[..].try_into().ok()?);
    let claimed = Claimed { id, queue: named(&queue)?, token };
    Some((claimed, receipt(worker, &claimed, generation)))
}
