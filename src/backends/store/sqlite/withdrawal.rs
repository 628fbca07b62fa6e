//! Taking back tasks that could not be published. Where a message may turn up all the same, its task stays as
//! cancelled without an end, so that the message is dropped at its claim; no list shows it, and its id can be
//! admitted again.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{Rules, entries, life, tally::Tally};
use crate::{
    backend::sqlite::{QUEUE, Write},
    store::{Withdrawal, Withdrawn},
};
use clawpool_core::task::{Queue, TaskId, Timestamp};

/// In a query: the task was not withdrawn.
pub(super) const KNOWN: &str = "NOT (state = 5 AND finished_at IS NULL)";

pub(super) fn withdraw(
    write: &mut Write<'_>,
    rules: &Rules,
    tasks: &[Withdrawal],
) -> rusqlite::Result<Vec<Withdrawn>> {
    let mut tally = Tally::default();
    let answers =
        tasks.iter().map(|task| one(write, rules, task, &mut tally)).collect::<rusqlite::Result<_>>()?;
    tally.write(write)?;
    Ok(answers)
}

/// What is known of a task that may be withdrawn.
struct Found {
    /// On its queue or for its first time in the schedule set.
    waits: bool,
    /// Not 0: it was with a worker before, or its task was enqueued once more.
    ticket: u32,
    queue: Queue,
    unique_key: Option<String>,
}

fn find(write: &Write<'_>, id: TaskId) -> rusqlite::Result<Option<Found>> {
    let query = format!(
        "SELECT state < 2 AND generation = 0, ticket, {QUEUE}, unique_key FROM tasks WHERE id = ?1 AND \
        {KNOWN}"
    );
    let found = |row: &rusqlite::Row<'_>| {
        Ok(Found { waits: row.get(0)?, ticket: row.get(1)?, queue: row.get(2)?, unique_key: row.get(3)? })
    };
    write.sql.prepare_cached(&query)?.query_row([id], found).optional()
}

fn one(
    write: &mut Write<'_>,
    rules: &Rules,
    task: &Withdrawal,
    tally: &mut Tally,
) -> rusqlite::Result<Withdrawn> {
    match find(write, task.id)? {
        Some(Found { waits: false, .. }) => return Ok(Withdrawn::TooLate),
        Some(Found { ticket: 1.., .. }) => return Ok(Withdrawn::Wanted),
        Some(found) => {
            tally.of(found.queue).enqueued -= 1;
            entries::remove_all(write.sql, task.id)?;
            if let Some(key) = found.unique_key {
                life::free(write, &key, task.id)?;
            }
        }
        None => {}
    }
    match task.until {
        Some(until) => remember(write, task.id, write.now.max(until) + rules.remember(Duration::ZERO))?,
        None => write.sql.prepare_cached("DELETE FROM tasks WHERE id = ?1")?.execute([task.id]).map(drop)?,
    }
    Ok(Withdrawn::Done)
}

fn remember(write: &Write<'_>, id: TaskId, forget_at: Timestamp) -> rusqlite::Result<()> {
    let replace =
        "REPLACE INTO tasks (id, kind, priority, state, generation, attempt, enqueued_at, expires_at, \
        forget_at)
                   VALUES (?1, '', 0, 5, 0, 0, ?2, ?2, ?3)";
    write.sql.prepare_cached(replace)?.execute(params![id, write.now, forget_at]).map(drop)
}

pub(super) fn confirm(write: &Write<'_>, id: TaskId) -> rusqlite::Result<bool> {
    let update = "UPDATE tasks SET ticket = 1 WHERE id = ?1 AND state = 1";
    Ok(write.sql.prepare_cached(update)?.execute([id])? == 1)
}
