//! Ends of attempts, each with the end of its message.

use bytes::BufMut;

use super::{RedisPath, scripts};
use crate::{
    broker::{Receipt, redis::BATCH},
    path::{Attempt, PathError},
    store::{Claimed, End},
};
use clawpool_core::task::Priority;

impl RedisPath {
    pub(super) async fn finish_all(&self, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        let mut answers = Vec::with_capacity(attempts.len());
        for chunk in attempts.chunks(BATCH) {
            let ends = chunk.iter().map(|attempt| (attempt.claimed, &attempt.end));
            let mut call = self.store.ending(&scripts::FINISH, ends)?;
            call.arg(chunk.iter().flat_map(name).collect::<Vec<u8>>());
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
            let ends = chunk.iter().map(|claimed| (*claimed, &End::Released));
            let mut call = self.store.ending(&scripts::FINISH, ends)?;
            call.arg("");
            answers.extend(self.store.accepted(&call, chunk.len()).await?);
        }
        Ok(answers)
    }
}

/// Generation and priority, as `scripts/finish.lua` reads them.
fn name(attempt: &Attempt) -> Vec<u8> {
    let mut name = Vec::with_capacity(5);
    name.put_u32(attempt.receipt.generation);
    name.put_u8(attempt.receipt.channel as u8);
    name
}

/// The receipt of a task taken with this token. Its message is named by its id, generation and priority.
pub(super) fn receipt(
    worker: clawpool_core::task::ProcessId,
    claimed: &Claimed,
    generation: u32,
    priority: Priority,
) -> Receipt {
    Receipt {
        queue: claimed.queue,
        worker,
        id: claimed.id,
        generation,
        channel: priority as u64,
        tag: claimed.token,
        alive: Default::default(),
    }
}
