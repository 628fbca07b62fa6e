//! Comparing what Redis counts as run by a worker with what it has taken.

use bytes::{Buf, Bytes};

use super::{RedisPath, finish::receipt, scripts};
use crate::{
    broker::Receipt,
    path::PathError,
    store::{Claimed, redis::corrupt},
};
use clawpool_core::task::{Priority, ProcessId, TaskId};

/// Id, generation, token and priority.
const ROW: usize = 29;

impl RedisPath {
    /// One comparison. Claims that are unknown to this process in it and in the one before are given back.
    pub(super) async fn compare(&self, worker: ProcessId) -> Result<u64, PathError> {
        let held = &self.shared.held;
        if !matches!(held.comparison(worker, self.unknown.any(worker)), Some(None)) {
            return Ok(0);
        }
        let mut call = self.store.call(&scripts::CLAIMS);
        call.arg(worker.as_bytes()).arg(&*self.priorities);
        let rows = self.store.run::<Bytes>(&call).await.inspect_err(|_| held.answer_lost())?;
        // Before the comparison: a take that ends in between has added its claims.
        let (_, oldest) = held.takes();
        let mut unknown = Vec::new();
        for row in rows.chunks_exact(ROW) {
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
fn claim(worker: ProcessId, mut row: &[u8]) -> Option<(Claimed, Receipt)> {
    let mut id = [0; 16];
    row.copy_to_slice(&mut id);
    let generation = row.get_u32();
    let token = row.get_u64();
    let priority = Priority::from_index(row.get_u8().into())?;
    let claimed = Claimed { id: TaskId::from_bytes(id), queue: priority.queue(), token };
    Some((claimed, receipt(worker, &claimed, generation, priority)))
}
