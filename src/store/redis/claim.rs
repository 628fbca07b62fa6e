//! Claiming: the moment that decides whether a delivered message runs (INV-2, INV-3).

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

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
            let ids: Vec<u8> = chunk.iter().flat_map(|claim| *claim.id.as_bytes()).collect();
            let claims: Vec<u8> = chunk.iter().flat_map(pack).collect();
            call.arg(ids).arg(claims);
            let answers: Bytes = self.run(&call).await?;
            if answers.len() != chunk.len() * VERDICT {
                return Err(corrupt(format_args!("{} bytes of verdicts for {} claims", answers.len(), chunk.len())));
            }
            for answer in answers.chunks_exact(VERDICT) {
                verdicts.push(verdict(answer)?);
            }
        }
        Ok(verdicts)
    }
}

/// As `scripts/claim.lua` reads it.
fn pack(claim: &Claim) -> Vec<u8> {
    // Kinds are shorter; see the limits of a task.
    let kind = &claim.kind.as_bytes()[..claim.kind.len().min(usize::from(u16::MAX))];
    let mut bytes = Vec::with_capacity(31 + kind.len());
    bytes.put_u32(claim.generation);
    bytes.put_u32(claim.ticket);
    bytes.put_u16(kind.len() as u16);
    bytes.put_u8(claim.priority as u8);
    bytes.put_u32(claim.attempt);
    bytes.put_u64(claim.enqueued_at.as_millis());
    bytes.put_u64(claim.expires_at.as_millis());
    bytes.put_slice(kind);
    bytes
}

/// Letter, number and crashes of one answer.
const VERDICT: usize = 13;

fn verdict(mut answer: &[u8]) -> Result<Verdict, StoreError> {
    let (letter, number, crashes) = (answer.get_u8(), answer.get_u64(), answer.get_u32());
    match letter {
        b'R' => Ok(Verdict::Run { token: number, crashes }),
        b'P' => Ok(Verdict::Poison { token: number, crashes }),
        b'D' => Ok(Verdict::Drop),
        b'H' => Ok(Verdict::Held { retry_in: Duration::from_millis(number) }),
        other => Err(corrupt(format_args!("{other:?} is no verdict"))),
    }
}
