//! Claims and messages of a living worker that it does not know of.

use super::SqlitePath;
use crate::{
    backend::sqlite::Write,
    broker::{Receipt, sqlite::queue},
    path::PathError,
    store::{
        Claimed, End, Settlement,
        sqlite::{Rules, life, settle},
    },
};
use clawpool_core::task::{ProcessId, State};

impl SqlitePath {
    /// The store counts these as the worker's, and it runs none of them.
    pub(super) async fn give_up(
        &self,
        worker: ProcessId,
        claims: &[Claimed],
    ) -> Result<Vec<bool>, PathError> {
        let rules = self.store.rules;
        let claims = claims.to_vec();
        let work = move |write: &mut Write<'_>| {
            let mut back = queue::claimed_by(write.sql, worker)?;
            back.retain(|receipt| claims.iter().any(|claimed| claimed.id == receipt.id));
            let settlements: Vec<Settlement> = claims.iter().copied().map(released).collect();
            let accepted = settle::settle(write, &rules, &settlements)?;
            queue::put_back(write, &back)?;
            Ok((accepted, back))
        };
        let (accepted, back) = self.write(work).await?;
        self.broker.held.remove(&back);
        Ok(accepted)
    }

    /// What was taken by a call whose answer was lost, or was dropped, waits again as if it never was taken.
    pub(super) async fn return_lost(&self, worker: ProcessId) -> Result<u64, PathError> {
        let held = &self.broker.held;
        if !held.is_due(worker) {
            return Ok(0);
        }
        let holds = self.database.read(move |sql| queue::claimed_by(sql, worker)).await;
        let lost = held.lost(worker, holds.inspect_err(|_| held.changed())?);
        if lost.is_empty() {
            return Ok(0);
        }
        let rules = self.store.rules;
        let count = lost.len() as u64;
        let returned = self.write(move |write| put_back(write, &rules, worker, &lost)).await;
        returned.inspect_err(|_| held.changed())?;
        Ok(count)
    }
}

fn put_back(
    write: &mut Write<'_>,
    rules: &Rules,
    worker: ProcessId,
    lost: &[Receipt],
) -> rusqlite::Result<()> {
    let mut settlements = Vec::with_capacity(lost.len());
    for Receipt { id, queue, generation, .. } in lost {
        let known = life::known(write, *id)?;
        let runs_here = known.filter(|known| {
            known.state == State::Running && known.owner == Some(worker) && known.generation == *generation
        });
        let claimed = runs_here.map(|known| Claimed { id: *id, queue: *queue, token: known.token });
        settlements.extend(claimed.map(released));
    }
    settle::settle(write, rules, &settlements)?;
    queue::put_back(write, lost)
}

fn released(claimed: Claimed) -> Settlement {
    Settlement::uncounted(claimed, End::Released)
}
