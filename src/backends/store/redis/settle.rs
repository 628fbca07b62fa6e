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
        let told = |value: &[u8]| [value, story].concat();
        let text = |number: u64| number.to_string().into_bytes();
        let (code, number, values) = match end {
            End::Completed { result, keep } => {
                let keep = (*keep).max(self.results.dedupe);
                (b'C', millis(keep), [told(result.as_message_pack()), Vec::new(), Vec::new()])
            }
            End::Retry { message, at, failure } => {
                let failure = told(&record::pack_failure(failure)?);
                (b'R', at.as_millis(), [text(message.generation.into()), packed::pack(message), failure])
            }
            End::Dead(letter) => {
                let failed = matches!(letter.reason, DeadReason::Exhausted | DeadReason::Fatal);
                let failure = record::pack_failure(&letter.failure)?;
                (b'D', letter.died_at.as_millis(), [dead::encode(letter)?, failure, text(failed.into())])
            }
            // No result, but a place for the story.
            End::Cancelled if !story.is_empty() => {
                (b'X', 0, [told(Payload::null().as_message_pack()), Vec::new(), Vec::new()])
            }
            End::Cancelled => (b'X', 0, Default::default()),
            End::Released => (b'L', 0, Default::default()),
            End::PutOff { message, at } => {
                (b'P', at.as_millis(), [packed::pack(message), Vec::new(), Vec::new()])
            }
        };
        all.put_u8(code);
        all.put_u64(number);
        for value in values {
            // A message has its limit far below this.
            all.put_u32(u32::try_from(value.len()).map_err(corrupt)?);
            all.put_slice(&value);
        }
        Ok(())
    }
}
