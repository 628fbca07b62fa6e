//! The end of a dead worker's lease: its share of the blame is written into the record of each task that it
//! ran.

use rusqlite::{OptionalExtension, Row, params};

use super::Rules;
use crate::backend::{
    StoredItem,
    sqlite::{Topic, Write, part, readable, set_aside, suspicion},
};
use clawpool_core::{
    retry::{self, Member, Suspicion},
    task::{ProcessId, TaskId, Timestamp},
};

/// Makes the tasks of a dead worker ready to be claimed by another one, unless that was done before.
pub(super) fn free_tasks(
    write: &mut Write<'_>,
    rules: &Rules,
    worker: ProcessId,
    polled: Option<&[TaskId]>,
) -> rusqlite::Result<()> {
    let query = "SELECT last_beat FROM workers WHERE id = ?1";
    let beat = write.sql.prepare_cached(query)?.query_row([worker], |row| row.get(0)).optional()?;
    let died = retry::died_at(write.now, beat.unwrap_or(write.now), rules.quiet());
    let group = group(write, worker, died)?;
    for (member, consequence) in group.iter().zip(retry::share_blame(&group, polled)) {
        let again_at = write.now + consequence.wait;
        let update =
            "UPDATE tasks SET crashes = ?2, suspicion = ?3, again_at = max(?4, started_at + 1) WHERE id = ?1";
        let suspicion = consequence.suspicion;
        let parameters = params![member.id, suspicion.crashes, suspicion.packed(), again_at];
        write.sql.prepare_cached(update)?.execute(parameters)?;
        // What is held for the dead worker comes back then.
        let hasten = "UPDATE schedule SET at = ?2, taken = 0 WHERE id = ?1 AND at > ?2
                      AND generation = (SELECT generation FROM tasks WHERE id = ?1)";
        if write.sql.prepare_cached(hasten)?.execute(params![member.id, again_at])? > 0 {
            write.rings.ring(Topic::Schedule);
        }
    }
    Ok(())
}

fn group(write: &Write<'_>, worker: ProcessId, died: Timestamp) -> rusqlite::Result<Vec<Member>> {
    let query = "SELECT id, started_at, crashes, suspicion FROM tasks WHERE state = 2 AND owner = ?1
                 AND (again_at IS NULL OR again_at <= started_at)";
    let member = |row: &Row<'_>| {
        let started: Timestamp = row.get(1)?;
        Ok(Member { id: row.get(0)?, age: died.since(started), suspicion: suspicion(row, 2)? })
    };
    records(write, query, worker, member)
}

/// Of the records of a worker those that can be read; the rest is set aside.
fn records<T>(
    write: &Write<'_>,
    query: &str,
    worker: ProcessId,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut query = write.sql.prepare_cached(query)?;
    let rows = query.query_map([worker], |row| readable(row, "id", &read))?;
    let (records, unreadable) = part(rows)?;
    set_aside(write, StoredItem::Record, &unreadable)?;
    Ok(records)
}

/// All tasks that the worker ran.
pub(super) fn ran(write: &Write<'_>, worker: ProcessId) -> rusqlite::Result<Vec<TaskId>> {
    records(write, "SELECT id FROM tasks WHERE state = 2 AND owner = ?1", worker, |row| row.get(0))
}

/// Whether a task that is to start alone has waited for that since a short time.
pub(super) fn a_task_waits_alone(write: &Write<'_>) -> rusqlite::Result<bool> {
    let query = "SELECT crashes, suspicion FROM tasks WHERE state = 2 AND again_at > started_at
                 AND again_at BETWEEN ?1 AND ?2";
    let since = write.now.as_millis().saturating_sub(retry::PATIENCE.as_millis() as u64);
    let mut query = write.sql.prepare_cached(query)?;
    let times = params![Timestamp::from_millis(since), write.now];
    let suspicions: Vec<Suspicion> =
        query.query_map(times, |row| suspicion(row, 0))?.collect::<rusqlite::Result<_>>()?;
    Ok(suspicions.into_iter().any(Suspicion::is_alone))
}
