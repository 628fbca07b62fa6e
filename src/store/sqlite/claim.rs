//! Claiming: the moment that decides whether a delivered message runs (INV-2, INV-3).

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{
    Rules, entries,
    life::{self, Ending, Known},
    orders::{self, Order},
    tally::Tally,
    writer::Write,
};
use crate::{
    store::{Claim, Verdict},
    task::{State, Timestamp, WorkerId},
};

pub(super) struct Claimant {
    pub(super) worker: WorkerId,
    pub(super) takeover: bool,
}

pub(super) fn claim(
    write: &mut Write<'_>,
    rules: &Rules,
    by: &Claimant,
    claims: &[Claim],
) -> rusqlite::Result<Vec<Verdict>> {
    let mut tally = Tally::default();
    let mut verdicts = Vec::with_capacity(claims.len());
    let (mut plain, token) = (write.sql.prepare_cached(PLAIN)?, write.now.as_millis());
    for claim in claims {
        let parameters = params![claim.id, claim.generation, by.worker, write.now, claim.ticket, token];
        verdicts.push(if plain.execute(parameters)? == 1 {
            Verdict::Run { token, crashes: 0 }
        } else {
            judge(write, rules, by, claim, &mut tally)?
        });
    }
    tally.write(write)?;
    Ok(verdicts)
}

/// The usual case in one statement: the task waits on its queue, and no worker died with it. Tokens need only rise, and the
/// time does; where it does not (a clock that was set back, twice in one millisecond), `judge` counts on from the last one.
const PLAIN: &str = "UPDATE tasks SET state = 2, token = ?6, owner = ?3, started_at = ?4, ticket = ?5
                     WHERE id = ?1 AND generation = ?2 AND state = 1 AND crashes = 0 AND token < ?6";

/// The first moments of a task, when most crash that crash at all.
const PROBATION: Duration = Duration::from_millis(250);
const CROWDED: Verdict = Verdict::Held { retry_in: PROBATION };

/// Tasks that workers died with: not two at a time in their first moments, and with one crash left to poison not two at a
/// time.
fn crowded(write: &Write<'_>, rules: &Rules, by: &Claimant, claim: &Claim, crashes: u32) -> rusqlite::Result<bool> {
    if crashes == 0 || crashes >= rules.crashes {
        return Ok(false);
    }
    // Its index has the first condition; the worker runs no more tasks than it has slots.
    let query = "SELECT 1 FROM tasks WHERE state = 2 AND crashes > 0 AND owner = ?1 AND id != ?2
                 AND (started_at > ?3 OR ?4 AND crashes + 1 = ?5)";
    let since = Timestamp::from_millis(write.now.as_millis().saturating_sub(PROBATION.as_millis() as u64));
    let last = crashes + 1 == rules.crashes;
    write.sql.prepare_cached(query)?.exists(params![by.worker, claim.id, since, last, rules.crashes])
}

/// Runs a task that nobody remembers (a restored broker, an emptied store).
fn adopt(write: &Write<'_>, by: &Claimant, claim: &Claim, tally: &mut Tally) -> rusqlite::Result<Verdict> {
    // It counts as enqueued, so that the totals balance.
    tally.of(claim.priority.queue()).enqueued += 1;
    let insert = "INSERT INTO tasks (id, kind, priority, state, generation, attempt, token, owner, enqueued_at,
                  expires_at, started_at, ticket) VALUES (?1, ?2, ?3, 2, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10)";
    write.sql.prepare_cached(insert)?.execute(params![
        claim.id,
        claim.kind,
        claim.priority,
        claim.generation,
        claim.attempt,
        by.worker,
        claim.enqueued_at,
        claim.expires_at,
        write.now,
        claim.ticket,
    ])?;
    Ok(Verdict::Run { token: 1, crashes: 0 })
}

fn judge(
    write: &mut Write<'_>,
    rules: &Rules,
    by: &Claimant,
    claim: &Claim,
    tally: &mut Tally,
) -> rusqlite::Result<Verdict> {
    let Some(known) = life::known(write, claim.id)? else { return adopt(write, by, claim, tally) };
    if known.generation < claim.generation {
        // The store was set back and the broker was not: the message knows better.
        return take(write, by, claim, &known, 0);
    }
    if known.generation > claim.generation || known.state.is_final() {
        return Ok(Verdict::Drop);
    }
    if known.state != State::Running {
        if crowded(write, rules, by, claim, known.crashes)? {
            return Ok(CROWDED);
        }
        entries::remove(write.sql, claim.id, claim.generation)?;
        return take(write, by, claim, &known, 0);
    }
    if known.owner == Some(by.worker) && known.ticket == claim.ticket {
        // Asked again, because the answer was lost.
        return Ok(run(rules, known.token, known.crashes));
    }
    match held(write, rules, by, &known)? {
        Some(retry_in) => Ok(Verdict::Held { retry_in }),
        // A cancelled task starts no more, so it need not wait for a suspect.
        None if !known.signalled && crowded(write, rules, by, claim, known.crashes + 1)? => Ok(CROWDED),
        None => pass(write, rules, by, claim, &known, tally),
    }
}

/// How long the owner of a running task may keep it without another beat; `None` when it has lost it.
fn held(write: &Write<'_>, rules: &Rules, by: &Claimant, known: &Known) -> rusqlite::Result<Option<Duration>> {
    let query = "SELECT last_beat, lease_until FROM workers WHERE id = ?1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Timestamp>(0)?, row.get::<_, Timestamp>(1)?));
    let Some((last_beat, until)) = write.sql.prepare_cached(query)?.query_row([known.owner], row).optional()? else {
        return Ok(None);
    };
    let silent = write.now.since(last_beat) >= rules.heartbeat.mul_f64(1.5);
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
) -> rusqlite::Result<Verdict> {
    if let Some(owner) = known.owner {
        orders::give(write, owner, claim.id, Order::Lost)?;
    }
    if known.signalled {
        write.sql.prepare_cached("UPDATE tasks SET crashes = crashes + 1 WHERE id = ?1")?.execute([claim.id])?;
        life::cancel(write, claim.id, known, rules, &Ending::default())?;
        tally.of(claim.priority.queue()).cancelled += 1;
        return Ok(Verdict::Drop);
    }
    match take(write, by, claim, known, 1)? {
        Verdict::Run { token, crashes } => Ok(run(rules, token, crashes)),
        verdict => Ok(verdict),
    }
}

fn run(rules: &Rules, token: u64, crashes: u32) -> Verdict {
    if crashes >= rules.crashes { Verdict::Poison { token, crashes } } else { Verdict::Run { token, crashes } }
}

fn take(write: &Write<'_>, by: &Claimant, claim: &Claim, known: &Known, crash: u32) -> rusqlite::Result<Verdict> {
    let update = "UPDATE tasks SET state = 2, generation = ?2, token = ?3, crashes = ?4, owner = ?5, started_at = ?6, ticket = ?8,
                  attempt = iif(generation < ?2, ?7, attempt), finished_at = NULL, forget_at = NULL, progress = NULL, result = NULL, signalled = 0 WHERE id = ?1";
    let (token, crashes) = (known.token + 1, known.crashes + crash);
    let parameters =
        params![claim.id, claim.generation, token, crashes, by.worker, write.now, claim.attempt, claim.ticket];
    write.sql.prepare_cached(update)?.execute(parameters)?;
    Ok(Verdict::Run { token, crashes })
}
