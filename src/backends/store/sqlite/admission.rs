//! Admitting new tasks.

use std::{ops::ControlFlow, time::Duration};

use rusqlite::{OptionalExtension, Statement, params};

use super::{entries, forget, records, tally::Tally};
use crate::{
    backend::sqlite::Write,
    store::{Admission, Admitted},
};
use clawpool_core::task::{State, TaskId, Timestamp};

/// A task still queued this long after its expiry has lost its message: its dispatcher died before it
/// published it.
const LOST: Duration = Duration::from_secs(3600);

pub(super) fn admit(write: &mut Write<'_>, tasks: &[Admission]) -> rusqlite::Result<Vec<Admitted>> {
    forget::records(write, tasks.len() * 2)?;
    let mut tally = Tally::default();
    let mut answers = Vec::with_capacity(tasks.len());
    let mut row = write.sql.prepare_cached(INSERT)?;
    for task in tasks {
        let answer = admit_one(write, &mut row, task)?;
        if answer == Admitted::New {
            tally.of(task.message.queue).enqueued += 1;
        }
        answers.push(answer);
    }
    tally.write(write)?;
    Ok(answers)
}

pub(crate) fn admit_one(
    write: &mut Write<'_>,
    row: &mut Statement<'_>,
    task: &Admission,
) -> rusqlite::Result<Admitted> {
    let id = task.message.id;
    if let Some(key) = &task.unique_key
        && let Some(holder) = holder(write, key)?
    {
        // One that cannot be read is there as well.
        let known = !matches!(records::one(write.sql, id)?, ControlFlow::Continue(None));
        return Ok(Admitted::Existing(if known { id } else { holder }));
    }
    // A withdrawn task makes room for its repetition.
    if !insert(row, task)? {
        return Ok(Admitted::Existing(id));
    }
    if let Some(key) = &task.unique_key {
        write
            .sql
            .prepare_cached("REPLACE INTO unique_keys (key, id) VALUES (?1, ?2)")?
            .execute(params![key, id])?;
    }
    if let Some(at) = task.at {
        entries::put(write, &task.message, at)?;
    }
    Ok(Admitted::New)
}

/// Whether a task of this id, or an unfinished one of its unique key, is there.
pub(crate) fn is_known(write: &Write<'_>, task: &Admission) -> rusqlite::Result<bool> {
    if let Some(key) = &task.unique_key
        && holder(write, key)?.is_some()
    {
        return Ok(true);
    }
    Ok(!matches!(records::one(write.sql, task.message.id)?, ControlFlow::Continue(None)))
}

/// The unfinished task that has this key.
pub(super) fn holder(write: &Write<'_>, key: &str) -> rusqlite::Result<Option<TaskId>> {
    let query = "SELECT id FROM unique_keys JOIN tasks USING (id)
                 WHERE key = ?1 AND state <= 2 AND NOT (state = 1 AND expires_at < ?2)";
    let lost = Timestamp::from_millis(write.now.as_millis().saturating_sub(LOST.as_millis() as u64));
    write.sql.prepare_cached(query)?.query_row(params![key, lost], |row| row.get(0)).optional()
}

pub(crate) const INSERT: &str =
    "INSERT INTO tasks (id, kind, priority, queue, tenant, unique_key, state, generation, attempt,
                        enqueued_at, expires_at, enqueued_by, fingerprint)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET
     kind = excluded.kind, priority = excluded.priority, queue = excluded.queue,
     tenant = excluded.tenant, unique_key = excluded.unique_key,
     state = excluded.state, generation = excluded.generation, enqueued_at = excluded.enqueued_at,
     expires_at = excluded.expires_at, enqueued_by = excluded.enqueued_by, fingerprint = excluded.fingerprint,
     forget_at = NULL
     WHERE state = 5 AND finished_at IS NULL";

fn insert(row: &mut Statement<'_>, task: &Admission) -> rusqlite::Result<bool> {
    let message = &task.message;
    let state = if task.at.is_some() { State::Scheduled } else { State::Queued };
    let count = row.execute(params![
        message.id,
        task.kind,
        message.priority(),
        message.queue.own(),
        task.tenant,
        task.unique_key,
        state,
        message.generation,
        message.enqueued_at,
        message.expires_at,
        task.enqueued_by,
        task.fingerprint.map(|fingerprint| fingerprint.to_bits().cast_signed()),
    ])?;
    Ok(count == 1)
}
