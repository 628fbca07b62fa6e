//! Settling: an attempt's outcome with its schedule entry or dead letter in one step (INV-5).

use bytes::{BufMut, Bytes};

use super::{BATCH, MARGIN, RedisStore, corrupt, dead, millis, record, scripts};
use crate::{
    backend::redis::packed,
    store::{End, Settlement, StoreError},
};
use clawpool_core::task::DeadReason;

impl RedisStore {
    pub(super) async fn settle_all(&self, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError> {
        let mut answers = Vec::with_capacity(settlements.len());
        for chunk in settlements.chunks(BATCH) {
            let mut call = self.call(&scripts::SETTLE);
            call.arg(millis(MARGIN)).arg(millis(self.results.dead)).arg(self.remembered());
            let ids: Vec<u8> =
                chunk.iter().flat_map(|settlement| *settlement.claimed.id.as_bytes()).collect();
            let mut all = Vec::new();
            for settlement in chunk {
                all.put_u64(settlement.claimed.token);
                self.put_end(&mut all, &settlement.end)?;
            }
            call.arg(ids).arg(all);
            let accepted: Bytes = self.run(&call).await?;
            if accepted.len() != chunk.len() {
                return Err(corrupt(format_args!(
                    "{} answers to {} settlements",
                    accepted.len(),
                    chunk.len()
                )));
            }
            answers.extend(accepted.iter().map(|answer| *answer == b'1'));
        }
        Ok(answers)
    }

    /// The end's code and its four values, as `scripts/settle.lua` reads them.
    fn put_end(&self, all: &mut Vec<u8>, end: &End) -> Result<(), StoreError> {
        let text = |number: u64| number.to_string().into_bytes();
        let (code, values) = match end {
            End::Completed { result, keep } => {
                let keep = (*keep).max(self.results.dedupe);
                (b'C', [result.as_message_pack().to_vec(), text(millis(keep)), Vec::new(), Vec::new()])
            }
            End::Retry { message, at, failure } => {
                let failure = record::pack_failure(failure)?;
                (
                    b'R',
                    [text(message.generation.into()), text(at.as_millis()), packed::pack(message), failure],
                )
            }
            End::Dead(letter) => {
                let failed = matches!(letter.reason, DeadReason::Exhausted | DeadReason::Fatal);
                let failure = record::pack_failure(&letter.failure)?;
                (
                    b'D',
                    [dead::encode(letter)?, text(letter.died_at.as_millis()), failure, text(failed.into())],
                )
            }
            End::Cancelled => (b'X', Default::default()),
            End::Released => (b'L', Default::default()),
            End::PutOff { message, at } => {
                (b'P', [packed::pack(message), text(at.as_millis()), Vec::new(), Vec::new()])
            }
        };
        all.put_u8(code);
        for value in values {
            // A message has its limit far below this.
            all.put_u32(u32::try_from(value.len()).map_err(corrupt)?);
            all.put_slice(&value);
        }
        Ok(())
    }
}
