//! Claiming: the moment that decides whether a delivered message runs (INV-2, INV-3).

use std::time::Duration;

use super::{BATCH, RedisStore, corrupt, millis, scripts};
use crate::{
    store::{Claim, StoreError, Verdict},
    task::WorkerId,
};

impl RedisStore {
    pub(super) async fn claim_all(
        &self,
        worker: WorkerId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut verdicts = Vec::with_capacity(claims.len());
        for chunk in claims.chunks(BATCH) {
            let mut call = self.call(&scripts::CLAIM);
            call.arg(worker.as_bytes()).arg(u8::from(takeover));
            call.arg(millis(self.quiet)).arg(self.crashes).arg(self.remembered());
            for claim in chunk {
                call.arg(claim.id.as_bytes()).arg(claim.generation).arg(&claim.kind).arg(claim.priority.index());
                call.arg(claim.attempt)
                    .arg(claim.enqueued_at.as_millis())
                    .arg(claim.expires_at.as_millis())
                    .arg(claim.ticket);
            }
            let answers: Vec<(String, u64, u32)> = self.run(&call).await?;
            for (letter, number, crashes) in answers {
                verdicts.push(verdict(&letter, number, crashes)?);
            }
        }
        Ok(verdicts)
    }
}

fn verdict(letter: &str, number: u64, crashes: u32) -> Result<Verdict, StoreError> {
    match letter {
        "R" => Ok(Verdict::Run { token: number, crashes }),
        "P" => Ok(Verdict::Poison { token: number, crashes }),
        "D" => Ok(Verdict::Drop),
        "H" => Ok(Verdict::Held { retry_in: Duration::from_millis(number) }),
        other => Err(corrupt(format_args!("{other:?} is no verdict"))),
    }
}
