//! Claiming: the moment that decides whether a delivered message runs (INV-2, INV-3).

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::{BATCH, RedisStore, corrupt, lease_end::Dead, millis, scripts};
use crate::store::{Claim, ClaimOutcome, StoreError};
use clawpool_core::task::ProcessId;

impl RedisStore {
    pub(super) async fn claim_all(
        &self,
        worker: ProcessId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<ClaimOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(claims.len());
        for chunk in claims.chunks(BATCH) {
            outcomes.extend(self.claim_chunk(worker, chunk, takeover).await?);
        }
        Ok(outcomes)
    }

    /// A claim whose owner is dead is asked for again when the owner's lease has been ended.
    async fn claim_chunk(
        &self,
        worker: ProcessId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<ClaimOutcome>, StoreError> {
        let mut outcomes = self.ask(worker, claims, takeover).await?;
        while let Some(orphan) = outcomes.iter().position(Option::is_none) {
            self.end_lease_of(Dead::OwnerOf(claims[orphan].id), None).await?;
            let left: Vec<usize> =
                (orphan..claims.len()).filter(|index| outcomes[*index].is_none()).collect();
            let again: Vec<Claim> = left.iter().map(|index| claims[*index].clone()).collect();
            let answers = self.ask(worker, &again, takeover).await?;
            for (index, answer) in left.into_iter().zip(answers) {
                outcomes[index] = answer;
            }
            // It changed hands between the two.
            outcomes[orphan].get_or_insert(ClaimOutcome::Held { retry_in: Duration::from_millis(250) });
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    async fn ask(
        &self,
        worker: ProcessId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<Option<ClaimOutcome>>, StoreError> {
        let mut call = self.call(&scripts::CLAIM);
        call.arg(worker.as_bytes()).arg(u8::from(takeover));
        call.arg(millis(self.quiet)).arg(self.bearable).arg(self.remembered());
        let ids: Vec<u8> = claims.iter().flat_map(|claim| *claim.id.as_bytes()).collect();
        let packed: Vec<u8> = claims.iter().flat_map(pack).collect();
        call.arg(ids).arg(packed);
        let answers: Bytes = self.run(&call).await?;
        if answers.len() != claims.len() * OUTCOME_WIDTH {
            return Err(corrupt(format_args!(
                "{} bytes of outcomes for {} claims",
                answers.len(),
                claims.len()
            )));
        }
        answers.chunks_exact(OUTCOME_WIDTH).map(outcome).collect()
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
    bytes.put_u8(claim.queue.priority() as u8);
    bytes.put_u32(claim.attempt);
    bytes.put_u64(claim.enqueued_at.as_millis());
    bytes.put_u64(claim.expires_at.as_millis());
    bytes.put_slice(kind);
    bytes
}

/// Code, number and crashes of one answer.
const OUTCOME_WIDTH: usize = 13;

/// `None` for the task of a dead worker whose lease is still to be ended.
fn outcome(mut answer: &[u8]) -> Result<Option<ClaimOutcome>, StoreError> {
    let code = answer.get_u8();
    let number = answer.get_u64();
    let crashes = answer.get_u32();
    Ok(Some(match code {
        b'R' => ClaimOutcome::Run { token: number, crashes },
        b'P' => ClaimOutcome::Poison { token: number, crashes },
        b'D' => ClaimOutcome::Drop,
        b'H' => ClaimOutcome::Held { retry_in: Duration::from_millis(number) },
        b'O' => return Ok(None),
        other => return Err(corrupt(format_args!("{other:?} is no outcome"))),
    }))
}
