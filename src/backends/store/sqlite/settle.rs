//! Settling: an attempt's outcome, with its schedule entry or dead letter, in one step (INV-5).

use rusqlite::params;

use super::{
    Rules, entries,
    figures::Counted,
    letters,
    life::{self, Ending, Known},
    orders::{self, Order},
    tally::Tally,
};
use crate::{
    backend::sqlite::{Write, packed_before},
    store::{Cancelled, DeadLetter, End, Settlement},
};
use clawpool_core::task::{DeadReason, Message, Payload, Queue, State, TaskId, Timestamp};

pub(crate) fn settle(
    write: &mut Write<'_>,
    rules: &Rules,
    settlements: &[Settlement],
) -> rusqlite::Result<Vec<bool>> {
    let mut tally = Tally::default();
    let mut counted = Counted::default();
    let mut answers = Vec::with_capacity(settlements.len());
    let mut plain = write.sql.prepare_cached(PLAIN)?;
    let mut told = Vec::new();
    for Settlement { claimed, end, counters, story } in settlements {
        if let End::Completed { result, keep } = end {
            let forget_at = write.now + rules.remember(*keep);
            told.clear();
            told.extend_from_slice(result.as_message_pack());
            told.extend_from_slice(story);
            if plain.execute(params![claimed.id, claimed.token, write.now, forget_at, told])? == 1 {
                write.rings.finished(claimed.id);
                tally.of(claimed.queue).completed += 1;
                counted.add(counters);
                answers.push(true);
                continue;
            }
        }
        let known = life::known(write, claimed.id)?
            .filter(|known| known.state == State::Running && known.token == claimed.token);
        if let Some(known) = &known {
            let counts = tally.of(claimed.queue);
            match record(write, rules, claimed.id, known, end, story)? {
                State::Completed => counts.completed += 1,
                State::Dead => counts.dead += 1,
                State::Cancelled => counts.cancelled += 1,
                State::Scheduled => counts.retried += 1,
                State::Queued | State::Running => {}
            }
            counted.add(counters);
        }
        answers.push(known.is_some());
    }
    tally.write(write)?;
    counted.write(write)?;
    Ok(answers)
}

/// The usual case in one statement: the task completed, in time, and has no unique key to free.
const PLAIN: &str =
    "UPDATE tasks SET state = 3, finished_at = ?3, forget_at = ?4, result = ?5, owner = NULL, progress = NULL
     WHERE id = ?1 AND token = ?2 AND state = 2 AND unique_key IS NULL";

/// Writes one end, and says which state the task is in after it.
fn record(
    write: &mut Write<'_>,
    rules: &Rules,
    id: TaskId,
    known: &Known,
    end: &End,
    story: &[u8],
) -> rusqlite::Result<State> {
    match end {
        End::Completed { result, keep } => {
            let forget_at = write.now + rules.remember(*keep);
            let ending = Ending { result: Some(result), story, ..Ending::default() };
            life::finish(write, id, known, State::Completed, forget_at, &ending)?;
            Ok(State::Completed)
        }
        End::Dead(letter) => {
            add_dead_letter(write, rules, known, letter)?;
            Ok(State::Dead)
        }
        End::Retry { failure, .. } if known.signalled => {
            let ending = Ending { failure: Some(failure), failed: 1, ..Ending::default() };
            life::cancel(write, id, known, rules, &ending)?;
            Ok(State::Cancelled)
        }
        End::Retry { message, at, failure } => {
            retry(write, id, message, *at, &packed_before(failure, story)?)?;
            Ok(State::Scheduled)
        }
        End::Released if !known.signalled => {
            release(write, id)?;
            Ok(State::Queued)
        }
        End::PutOff { message, at } if !known.signalled => {
            release(write, id)?;
            entries::put(write, message, *at)?;
            Ok(State::Queued)
        }
        End::Cancelled | End::Released | End::PutOff { .. } => {
            // No result, but a place for the story.
            let nothing = Payload::null();
            let result = (!story.is_empty()).then_some(&nothing);
            life::cancel(write, id, known, rules, &Ending { result, story, ..Ending::default() })?;
            Ok(State::Cancelled)
        }
    }
}

/// Makes the record and the letter of a task that died.
pub(super) fn add_dead_letter(
    write: &mut Write<'_>,
    rules: &Rules,
    known: &Known,
    letter: &DeadLetter,
) -> rusqlite::Result<()> {
    let failed = u32::from(matches!(letter.reason, DeadReason::Exhausted | DeadReason::Fatal));
    let ending = Ending { failure: Some(&letter.failure), failed, ..Ending::default() };
    let forget_at = write.now + rules.remember(rules.keep_dead);
    life::finish(write, letter.message.id, known, State::Dead, forget_at, &ending)?;
    letters::put(write.sql, letter)
}

fn retry(
    write: &mut Write<'_>,
    id: TaskId,
    message: &Message,
    at: Timestamp,
    failure: &[u8],
) -> rusqlite::Result<()> {
    let update =
        "UPDATE tasks SET state = 0, generation = ?2, failure = ?3, attempt = attempt + 1, owner = NULL,
                  progress = NULL WHERE id = ?1";
    write.sql.prepare_cached(update)?.execute(params![id, message.generation, failure])?;
    entries::put(write, message, at)
}

/// Takes a claim back as if it never was (INV-8); only its token stays used.
fn release(write: &Write<'_>, id: TaskId) -> rusqlite::Result<()> {
    let update = "UPDATE tasks SET state = 1, owner = NULL, progress = NULL, started_at = NULL WHERE id = ?1";
    write.sql.prepare_cached(update)?.execute([id]).map(drop)
}

/// Cancels at once what waits; has the worker told of what runs.
pub(super) fn cancel(write: &mut Write<'_>, rules: &Rules, id: TaskId) -> rusqlite::Result<Cancelled> {
    let Some(known) = life::known(write, id)? else { return Ok(Cancelled::Unknown) };
    if known.state.is_final() {
        return Ok(Cancelled::TooLate(known.state));
    }
    if known.state == State::Running {
        write.sql.prepare_cached("UPDATE tasks SET signalled = 1 WHERE id = ?1")?.execute([id])?;
        if let Some(owner) = known.owner {
            orders::give(write, owner, id, Order::Cancel)?;
        }
        return Ok(Cancelled::Signalled);
    }
    life::cancel(write, id, &known, rules, &Ending::default())?;
    let mut query = write.sql.prepare_cached("SELECT ifnull(queue, priority) FROM tasks WHERE id = ?1")?;
    let queue: Queue = query.query_row([id], |row| row.get(0))?;
    let mut tally = Tally::default();
    tally.of(queue).cancelled += 1;
    tally.write(write)?;
    Ok(Cancelled::Done)
}
