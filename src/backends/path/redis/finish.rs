//! Ends of attempts, each with the end of its message.

use bytes::BufMut;

use super::{RedisPath, scripts};
use crate::backend::redis::queue_name::name;
use crate::{
    backend::redis::script::Call,
    broker::{Receipt, redis::BATCH},
    path::{Attempt, PathError},
    store::{Claimed, End, redis::figures},
};
use clawpool_core::task::Queue;

impl RedisPath {
    pub(super) async fn finish_all(&self, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        let mut answers = Vec::with_capacity(attempts.len());
        for chunk in attempts.chunks(BATCH) {
            let ends = chunk.iter().map(|one| (one.claimed, &one.end, &one.story[..]));
            let mut call = self.store.ending(&scripts::FINISH, ends)?;
            figures::add_counters(&mut call, chunk.iter().map(|attempt| &attempt.counters));
            add_names(&mut call, chunk);
            let accepted = self.store.accepted(&call, chunk.len()).await;
            if accepted.is_err() {
                self.shared.held.settlement_failed();
            }
            answers.extend(accepted?);
            let receipts: Vec<Receipt> = chunk.iter().map(|attempt| attempt.receipt.clone()).collect();
            self.shared.held.remove(&receipts);
        }
        Ok(answers)
    }

    /// Of claims whose messages are not known here.
    pub(super) async fn release(&self, claims: &[Claimed]) -> Result<Vec<bool>, PathError> {
        let mut answers = Vec::with_capacity(claims.len());
        for chunk in claims.chunks(BATCH) {
            let ends = chunk.iter().map(|claimed| (*claimed, &End::Released, &[][..]));
            let mut call = self.store.ending(&scripts::FINISH, ends)?;
            figures::add_counters(&mut call, std::iter::empty());
            call.arg("");
            answers.extend(self.store.accepted(&call, chunk.len()).await?);
        }
        Ok(answers)
    }
}

/// Generation and queue of each message, as `scripts/finish.lua` reads them.
fn add_names(call: &mut Call, attempts: &[Attempt]) {
    let mut queues: Vec<Queue> = Vec::new();
    let mut names = Vec::with_capacity(6 * attempts.len());
    for attempt in attempts {
        let queue = attempt.claimed.queue;
        let number = queues.iter().position(|known| *known == queue).unwrap_or_else(|| {
            queues.push(queue);
            queues.len() - 1
        });
        names.put_u32(attempt.receipt.generation);
        names.put_u16(u16::try_from(number + 1).unwrap_or_default());
    }
    call.arg(names);
    for queue in queues {
        call.arg(&*name(queue));
    }
}

/// The receipt of a task taken with this token. Its message is named by its id, generation and queue.
pub(super) fn receipt(worker: clawpool_core::task::ProcessId, claimed: &Claimed, generation: u32) -> Receipt {
    Receipt {
        queue: claimed.queue,
        worker,
        id: claimed.id,
        generation,
        channel: 0,
        tag: claimed.token,
        alive: Default::default(),
    }
}
