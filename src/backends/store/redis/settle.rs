//! Settling: an attempt's outcome with its schedule entry or dead letter in one step (INV-5).

use bytes::{BufMut, Bytes};

use super::{BATCH, MARGIN, RedisStore, corrupt, dead, figures, millis, record, scripts};
use crate::{
    backend::redis::{
        packed,
        script::{Call, Script},
    },
    store::{Claimed, End, Settlement, StoreError},
};
use clawpool_core::task::{DeadReason, Payload};

impl RedisStore {
    pub(super) async fn settle_all(&self, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError> {
        let mut answers = Vec::with_capacity(settlements.len());
        for chunk in settlements.chunks(BATCH) {
            let ends = chunk.iter().map(|one| (one.claimed, &one.end, &one.story[..]));
            let mut call = self.ending(&scripts::SETTLE, ends)?;
            figures::add_counters(&mut call, chunk.iter().map(|settlement| &settlement.counters));
            answers.extend(self.accepted(&call, chunk.len()).await?);
        }
        Ok(answers)
    }

    /// A call of a script that ends attempts. It wants their counters besides: [`figures::add_counters`].
    pub(crate) fn ending<'a>(
        &self,
        script: &'static Script,
        ends: impl Iterator<Item = (Claimed, &'a End, &'a [u8])>,
    ) -> Result<Call, StoreError> {
        let mut ids = Vec::new();
        let mut all = Vec::new();
        for (claimed, end, story) in ends {
            ids.put_slice(claimed.id.as_bytes());
            all.put_u64(claimed.token);
            self.put_end(&mut all, end, story)?;
        }
        let mut call = self.call(script);
        call.arg(millis(MARGIN)).arg(millis(self.results.dead)).arg(self.remembered());
        call.arg(ids).arg(all);
        Ok(call)
    }

    /// One answer for each of so many ends.
    pub(crate) async fn accepted(&self, call: &Call, count: usize) -> Result<Vec<bool>, StoreError> {
        let accepted: Bytes = self.run(call).await?;
        if accepted.len() != count {
            return Err(corrupt(format_args!("{} answers to {count} settlements", accepted.len())));
        }
        Ok(accepted.iter().map(|answer| *answer == b'1').collect())
    }

    /// The end's code, its number and its three values, as `scripts/parts/endings.lua` has them; the story is
    /// behind the one that is kept.
    fn put_end(&self, all: &mut Vec<u8>, end: &End, story: &[u8]) -> Result<(), StoreError> {
        match end {
            End::Completed { result, keep } => {
                let keep = (*keep).max(self.results.dedupe);
                put_head(all, b'C', millis(keep));
                put_values(all, [&[result.as_message_pack(), story], &[], &[]])
            }
            End::Retry { message, at, failure } => {
                put_head(all, b'R', at.as_millis());
                let generation = message.generation.to_string();
                let failure = record::pack_failure(failure)?;
                put_values(all, [&[generation.as_bytes()], &[&packed::pack(message)], &[&failure, story]])
            }
            End::Dead(letter) => {
                put_head(all, b'D', letter.died_at.as_millis());
                let failed = matches!(letter.reason, DeadReason::Exhausted | DeadReason::Fatal);
                let failed: &[u8] = if failed { b"1" } else { b"0" };
                let failure = record::pack_failure(&letter.failure)?;
                put_values(all, [&[&dead::encode(letter)?], &[&failure], &[failed]])
            }
            End::Cancelled => {
                put_head(all, b'X', 0);
                // No result, but a place for the story.
                let nothing = Payload::null();
                let place: &[u8] = if story.is_empty() { &[] } else { nothing.as_message_pack() };
                put_values(all, [&[place, story], &[], &[]])
            }
            End::Released => {
                put_head(all, b'L', 0);
                put_values(all, [&[], &[], &[]])
            }
            End::PutOff { message, at } => {
                put_head(all, b'P', at.as_millis());
                put_values(all, [&[&packed::pack(message)], &[], &[]])
            }
        }
    }
}

fn put_head(all: &mut Vec<u8>, code: u8, number: u64) {
    all.put_u8(code);
    all.put_u64(number);
}

/// Values, each of some parts.
fn put_values(all: &mut Vec<u8>, values: [&[&[u8]]; 3]) -> Result<(), StoreError> {
    for parts in values {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        // A message has its limit far below this.
        all.put_u32(u32::try_from(length).map_err(corrupt)?);
        parts.iter().for_each(|part| all.put_slice(part));
    }
    Ok(())
}
