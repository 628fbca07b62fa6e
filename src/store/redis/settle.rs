//! Settling: an attempt's outcome with its schedule entry or dead letter in one step (INV-5).

use super::{BATCH, MARGIN, RedisStore, dead, millis, packed, record, script::Call, scripts};
use crate::{
    store::{End, Settlement, StoreError},
    task::DeadReason,
};

impl RedisStore {
    pub(super) async fn settle_all(&self, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError> {
        let mut answers = Vec::with_capacity(settlements.len());
        for chunk in settlements.chunks(BATCH) {
            let mut call = self.call(&scripts::SETTLE);
            call.arg(millis(MARGIN)).arg(millis(self.results.dead)).arg(self.remembered());
            for settlement in chunk {
                call.arg(settlement.claimed.id.as_bytes()).arg(settlement.claimed.token);
                self.add_end(&mut call, &settlement.end)?;
            }
            answers.extend(self.run::<Vec<bool>>(&call).await?);
        }
        Ok(answers)
    }

    /// The end's letter and its five values.
    fn add_end(&self, call: &mut Call, end: &End) -> Result<(), StoreError> {
        let used = match end {
            End::Completed { result, keep } => {
                let keep = (*keep).max(self.results.dedupe);
                call.arg("C").arg(&result.as_message_pack()[..]).arg(millis(keep));
                2
            }
            End::Retry { message, at, failure } => {
                call.arg("R").arg(message.generation).arg(at.as_millis()).arg(packed::pack(message));
                call.arg(record::pack_failure(failure)?);
                4
            }
            End::Dead(letter) => {
                let failed = matches!(letter.reason, DeadReason::Exhausted | DeadReason::Fatal);
                call.arg("D").arg(dead::encode(letter)?).arg(letter.died_at.as_millis());
                call.arg(record::pack_failure(&letter.failure)?).arg(u8::from(failed));
                4
            }
            End::Cancelled => {
                call.arg("X");
                0
            }
            End::Released => {
                call.arg("L");
                0
            }
        };
        for _ in used..5 {
            call.arg("");
        }
        Ok(())
    }
}
