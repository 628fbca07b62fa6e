//! Claiming: the moment that decides whether a delivered message runs (INV-2, INV-3).

use std::time::Duration;

use rusqlite::{CachedStatement, OptionalExtension, params};

use super::{
    Rules, entries, lease_end,
    life::{self, Ending, Known},
    orders::{self, Order},
    tally::Tally,
};
use crate::{
    backend::sqlite::{self, Write},
    store::{Claim, ClaimOutcome},
};
use clawpool_core::{
    retry::{self, Suspect, Suspicion},
    task::{ProcessId, State, TaskId, Timestamp},
};

pub(crate) struct Claimant {
    pub(crate) worker: ProcessId,
    pub(crate) takeover: bool,
}

pub(super) fn claim(
    write: &mut Write<'_>,
    rules: &Rules,
    by: &Claimant,
    claims: &[Claim],
) -> rusqlite::Result<Vec<ClaimOutcome>> {
    let mut tally = Tally::default();
    let mut outcomes = Vec::with_capacity(claims.len());
    let mut claiming = Claiming::new(write, rules, by)?;
    for claim in claims {
        outcomes.push(match claiming.plain(claim.id, claim.generation, claim.ticket, None)? {
            Some(outcome) => outcome,
            None => claiming.decide(write, claim, &mut tally)?,
        });
    }
    tally.write(write)?;
    Ok(outcomes)
}

/// Claims for one worker, in one transaction.
pub(crate) struct Claiming<'a> {
    rules: &'a Rules,
    by: &'a Claimant,
    plain: CachedStatement<'a>,
    now: Timestamp,
}

impl<'a> Claiming<'a> {
    pub(crate) fn new(write: &Write<'a>, rules: &'a Rules, by: &'a Claimant) -> rusqlite::Result<Self> {
        Ok(Self { rules, by, plain: write.sql.prepare_cached(PLAIN)?, now: write.now })
    }

    /// `None` where it is not the usual case. `message`: its row, where no row of `held` says who has it.
    pub(crate) fn plain(
        &mut self,
        id: TaskId,
        generation: u32,
        ticket: u32,
        message: Option<u64>,
    ) -> rusqlite::Result<Option<ClaimOutcome>> {
        let token = self.now.as_millis();
        let parameters = params![id, generation, self.by.worker, self.now, ticket, token, message];
        let count = self.plain.execute(parameters)?;
        Ok((count == 1).then_some(ClaimOutcome::Run { token, crashes: 0 }))
    }

    pub(crate) fn decide(
        &self,
        write: &mut Write<'_>,
        claim: &Claim,
        tally: &mut Tally,
    ) -> rusqlite::Result<ClaimOutcome> {
        decide(write, self.rules, self.by, claim, tally)
    }

    /// The record of a task that runs now says which message is its own.
    pub(crate) fn bind(&self, write: &Write<'_>, id: TaskId, message: u64) -> rusqlite::Result<()> {
        let update = "UPDATE tasks SET message = ?2 WHERE id = ?1";
        write.sql.prepare_cached(update)?.execute(params![id, message]).map(drop)
    }
}

/// The usual case in one statement: the task waits on its queue, and no worker died with it. Tokens need only
/// rise, and the time does; where it does not (a clock that was set back, twice in one millisecond), `decide`
/// counts on from the last one.
const PLAIN: &str = "UPDATE tasks SET state = 2, token = ?6, owner = ?3, started_at = ?4, ticket = ?5,
                     message = ?7
                     WHERE id = ?1 AND generation = ?2 AND state = 1 AND crashes = 0 AND token < ?6";

/// How long a task of a dead worker has yet to wait.
fn wait(
    write: &Write<'_>,
    by: &Claimant,
    suspicion: Suspicion,
    due: Timestamp,
) -> rusqlite::Result<Option<Duration>> {
    let left = due.since(write.now);
    // A clock that was set back must not keep it for as long.
    if left > Duration::from_millis(1) && left < LONGEST {
        return Ok(Some(left));
    }
    let query = "SELECT crashes, suspicion, coalesce(again_at, 0), started_at FROM tasks
                 WHERE state = 2 AND owner = ?1 AND crashes > 0";
    let suspect = |row: &rusqlite::Row<'_>| {
        Ok(Suspect { suspicion: sqlite::suspicion(row, 0)?, due: row.get(2)?, started: row.get(3)? })
    };
    let mut query = write.sql.prepare_cached(query)?;
    let there: Vec<Suspect> = query.query_map([by.worker], suspect)?.collect::<rusqlite::Result<_>>()?;
    Ok(retry::hold(suspicion, due, write.now, &there, lease_end::a_task_waits_alone(write)?))
}

/// No task of a dead worker waits for longer.
const LONGEST: Duration = Duration::from_secs(120);

/// Runs a task that has no record (a restored broker, an emptied store).
fn adopt(
    write: &Write<'_>,
    by: &Claimant,
    claim: &Claim,
    tally: &mut Tally,
) -> rusqlite::Result<ClaimOutcome> {
    // It counts as enqueued, so that the totals balance.
    tally.of(claim.queue).enqueued += 1;
    let insert =
        "INSERT INTO tasks (id, kind, priority, queue, state, generation, attempt, token, owner, enqueued_at,
                  expires_at, started_at, ticket)
                  VALUES (?1, ?2, ?3, ?4, 2, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11)";
    write.sql.prepare_cached(insert)?.execute(params![
        claim.id,
        claim.kind,
        claim.queue.priority(),
        claim.queue.own(),
        claim.generation,
        claim.attempt,
        by.worker,
        claim.enqueued_at,
        claim.expires_at,
        write.now,
        claim.ticket,
    ])?;
    Ok(ClaimOutcome::Run { token: 1, crashes: 0 })
}

fn decide(
    write: &mut Write<'_>,
    rules: &Rules,
    by: &Claimant,
    claim: &Claim,
    tally: &mut Tally,
) -> rusqlite::Result<ClaimOutcome> {
    let Some(known) = life::known(write, claim.id)? else { return adopt(write, by, claim, tally) };
    if known.generation < claim.generation {
        // The store was set back and the broker was not: the message knows better.
        return take(write, by, claim, &known, false);
    }
    if known.generation > claim.generation || known.state.is_final() {
        return Ok(ClaimOutcome::Drop);
    }
    if known.state != State::Running {
        entries::remove(write.sql, claim.id, claim.generation)?;
        return take(write, by, claim, &known, false);
    }
    if known.owner == Some(by.worker) && known.ticket == claim.ticket {
        // Asked again, because the answer was lost.
        return Ok(run(rules, known.token, known.suspicion));
    }
    if let Some(retry_in) = held(write, rules, by, &known)? {
        return Ok(ClaimOutcome::Held { retry_in });
    }
    let known = match known.again_at {
        Some(_) => known,
        None => {
            end_owners_lease(write, rules, &known)?;
            life::known(write, claim.id)?.unwrap_or(known)
        }
    };
    // What starts no more need not wait.
    let over = known.signalled || known.suspicion.is_poison(rules.crashes);
    match known.again_at.filter(|_| !over) {
        Some(due) => match wait(write, by, known.suspicion, due)? {
            Some(retry_in) => Ok(ClaimOutcome::Held { retry_in }),
            None => pass(write, rules, by, claim, &known, tally),
        },
        None => pass(write, rules, by, claim, &known, tally),
    }
}

/// Ends the lease of an owner that is dead, if that was not done before.
fn end_owners_lease(write: &mut Write<'_>, rules: &Rules, known: &Known) -> rusqlite::Result<()> {
    known.owner.map_or(Ok(()), |owner| lease_end::free_tasks(write, rules, owner, None))
}

/// How long the owner of a running task may keep it without another beat; `None` when it has lost it.
fn held(
    write: &Write<'_>,
    rules: &Rules,
    by: &Claimant,
    known: &Known,
) -> rusqlite::Result<Option<Duration>> {
    let query = "SELECT last_beat, lease_until FROM workers WHERE id = ?1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Timestamp>(0)?, row.get::<_, Timestamp>(1)?));
    let Some((last_beat, until)) =
        write.sql.prepare_cached(query)?.query_row([known.owner], row).optional()?
    else {
        return Ok(None);
    };
    let silent = write.now.since(last_beat) >= rules.quiet();
    let left = until.since(write.now);
    let lost = left.is_zero() || by.takeover && silent;
    Ok((!lost).then_some(left))
}

/// A running task passes to another worker, because its owner died with it.
fn pass(
    write: &mut Write<'_>,
    rules: &Rules,
    by: &Claimant,
    claim: &Claim,
    known: &Known,
    tally: &mut Tally,
) -> rusqlite::Result<ClaimOutcome> {
    if let Some(owner) = known.owner {
        orders::give(write, owner, claim.id, Order::Lost)?;
    }
    if known.signalled {
        life::cancel(write, claim.id, known, rules, &Ending::default())?;
        tally.of(claim.queue).cancelled += 1;
        return Ok(ClaimOutcome::Drop);
    }
    match take(write, by, claim, known, true)? {
        ClaimOutcome::Run { token, .. } => Ok(run(rules, token, known.suspicion)),
        outcome => Ok(outcome),
    }
}

fn run(rules: &Rules, token: u64, suspicion: Suspicion) -> ClaimOutcome {
    let crashes = suspicion.crashes;
    if suspicion.is_poison(rules.crashes) {
        ClaimOutcome::Poison { token, crashes }
    } else {
        ClaimOutcome::Run { token, crashes }
    }
}

/// `again`: after its owner's death.
fn take(
    write: &Write<'_>,
    by: &Claimant,
    claim: &Claim,
    known: &Known,
    again: bool,
) -> rusqlite::Result<ClaimOutcome> {
    let update = "UPDATE tasks SET state = 2, generation = ?2, token = ?3, owner = ?4, started_at = ?5, \
        ticket = ?7, message = NULL,
                  attempt = iif(generation < ?2, ?6, attempt), again_at = iif(?8, min(again_at, ?5), NULL),
                  finished_at = NULL, forget_at = NULL, progress = NULL, result = NULL, signalled = 0 WHERE
                  id = ?1";
    let token = known.token + 1;
    let parameters =
        params![claim.id, claim.generation, token, by.worker, write.now, claim.attempt, claim.ticket, again];
    write.sql.prepare_cached(update)?.execute(parameters)?;
    Ok(ClaimOutcome::Run { token, crashes: known.suspicion.crashes })
}
