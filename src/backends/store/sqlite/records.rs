//! Reading records.

use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::withdrawal::KNOWN;
use crate::{
    backend::sqlite::{Sifted, readable, sift},
    store::{Page, Record, RecordFilter, StoreError, UnfinishedTask, Waiting, tasks::told},
};
use clawpool_core::task::{Fingerprint, KindPattern, State, TaskId, Timestamp};

// What a dead worker ran is shown as waiting for another one (`orphan`). The record is at the generation of
// its entry as long as it is scheduled.
const COLUMNS: &str =
    "tasks.*, ifnull(queue, priority) AS on_queue, tasks.state = 2 AND NOT EXISTS (SELECT 1 FROM workers
                       WHERE workers.id = owner AND lease_until > :now) AS orphan,
                       (SELECT at FROM schedule WHERE tasks.state = 0 AND schedule.id = tasks.id
                       AND schedule.generation = tasks.generation) AS due_at";
const REMEMBERED: &str = "(forget_at IS NULL OR forget_at > :now)";

pub(super) fn one(sql: &Connection, id: TaskId) -> rusqlite::Result<Sifted<Option<Record>>> {
    let query = format!("SELECT {COLUMNS} FROM tasks WHERE id = :id AND {REMEMBERED} AND {KNOWN}");
    let mut query = sql.prepare_cached(&query)?;
    let row = |row: &Row<'_>| readable(row, "id", record);
    let found = query.query_row(named_params! { ":id": id, ":now": Timestamp::now() }, row).optional()?;
    Ok(match found {
        None => ControlFlow::Continue(None),
        Some(found) => found.map_continue(Some).map_break(|id| vec![id]),
    })
}

/// Rows that are looked at for one page: a filter that few match makes a short page that goes on.
const LOOK: usize = 10_000;

/// The latest first, by their ids.
pub(super) fn list(
    sql: &Connection,
    filter: &RecordFilter,
    before: Option<TaskId>,
    limit: usize,
) -> rusqlite::Result<Sifted<Page<Record>>> {
    let before = before.as_ref().map_or(&[u8::MAX; 17][..], |id| id.as_bytes());
    let last = last_looked_at(sql, before)?;
    let query = format!(
        "SELECT {COLUMNS} FROM tasks WHERE id < :before AND id >= :last AND {REMEMBERED} AND {KNOWN}
         AND (:states = 0 OR :states & (1 << iif(orphan, 1, state)))
         AND (:priority IS NULL OR priority = :priority)
         AND (:queue IS NULL OR on_queue = :queue)
         AND (:tenant IS NULL OR tenant = :tenant)
         AND (:kind IS NULL OR kind GLOB :kind)
         AND enqueued_at >= :since AND enqueued_at < :until
         ORDER BY id DESC LIMIT :limit"
    );
    let mut query = sql.prepare_cached(&query)?;
    let rows = query.query_map(
        named_params! {
            ":before": before,
            ":last": last.as_ref().map_or(&[][..], |id| id.as_bytes()),
            ":now": Timestamp::now(),
            ":states": mask(&filter.states),
            ":priority": filter.priority,
            ":queue": filter.queue,
            ":tenant": filter.tenant,
            // Its one special sign is the star, which GLOB reads alike.
            ":kind": filter.kind.as_ref().map(KindPattern::as_str),
            ":since": filter.since.unwrap_or_default(),
            ":until": filter.until.map_or(i64::MAX, |until| until.as_millis().cast_signed()),
            ":limit": limit.saturating_add(1),
        },
        |row| readable(row, "id", record),
    )?;
    let found = sift(rows)?.map_continue(|items| page(items, limit, |last| last.id.to_string()));
    Ok(found.map_continue(|found| Page { next: found.next.or(last.map(|id| id.to_string())), ..found }))
}

/// Of the tasks before this one the last that a page looks at; none where it looks at all of them.
fn last_looked_at(sql: &Connection, before: &[u8]) -> rusqlite::Result<Option<TaskId>> {
    let query = "SELECT id FROM tasks WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";
    sql.prepare_cached(query)?.query_row(params![before, LOOK - 1], |row| row.get(0)).optional()
}

/// One bit a state, by its number.
fn mask(states: &[State]) -> u32 {
    let chosen = State::ALL.iter().zip(0..).filter(|(state, _)| states.contains(state));
    chosen.fold(0, |mask, (_, number)| mask | 1 << number)
}

/// Unfinished tasks after one.
pub(super) fn unfinished(
    sql: &Connection,
    after: Option<TaskId>,
    limit: usize,
) -> rusqlite::Result<Sifted<Vec<UnfinishedTask>>> {
    let query =
        "SELECT id, state, ifnull(queue, priority) AS on_queue, generation, attempt, enqueued_at, owner,
                 token, EXISTS (SELECT 1 FROM schedule
                         WHERE schedule.id = tasks.id AND schedule.generation = tasks.generation) AS scheduled
         FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut query = sql.prepare_cached(query)?;
    let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
    sift(query.query_map(params![after, limit], |row| readable(row, "id", unfinished_task))?)
}

fn unfinished_task(row: &Row<'_>) -> rusqlite::Result<UnfinishedTask> {
    Ok(UnfinishedTask {
        id: row.get("id")?,
        state: row.get("state")?,
        queue: row.get("on_queue")?,
        generation: row.get("generation")?,
        attempt: row.get("attempt")?,
        enqueued_at: row.get("enqueued_at")?,
        worker: row.get("owner")?,
        token: row.get("token")?,
        scheduled: row.get("scheduled")?,
    })
}

/// A page of `limit`, made of one row more than that when there is another page.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}

/// Reads a cursor of `T` and an id, separated by a colon.
pub(super) fn cursor(text: &str) -> Result<(u64, TaskId), StoreError> {
    let parts = text.split_once(':').and_then(|(number, id)| Some((number.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| StoreError::BadCursor(text.to_owned()))
}

pub(super) fn id_cursor(text: &str) -> Result<TaskId, StoreError> {
    text.parse().map_err(|_| StoreError::BadCursor(text.to_owned()))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let orphan: bool = row.get("orphan")?;
    let state = if orphan { State::Queued } else { row.get("state")? };
    let attempt = row.get("attempt")?;
    let bytes = |column| row.get::<_, Option<Vec<u8>>>(column).map(|bytes| bytes.map(Bytes::from));
    let (result, story) = told(state, bytes("result")?, bytes("failure")?);
    Ok(Record {
        id: row.get("id")?,
        kind: row.get("kind")?,
        priority: row.get("priority")?,
        queue: row.get("on_queue")?,
        tenant: row.get("tenant")?,
        enqueued_by: row.get("enqueued_by")?,
        state,
        waiting: Waiting::of(state, attempt),
        attempt,
        crashes: row.get("crashes")?,
        generation: row.get("generation")?,
        enqueued_at: row.get("enqueued_at")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
        due_at: row.get("due_at")?,
        worker: if orphan { None } else { row.get("owner")? },
        progress: if orphan { None } else { row.get("progress")? },
        result,
        failure: row.get("failure")?,
        story,
        fingerprint: row.get::<_, Option<i64>>("fingerprint")?.map(fingerprint),
    })
}

/// SQLite's integers have a sign.
const fn fingerprint(bits: i64) -> Fingerprint {
    Fingerprint::from_bits(bits.cast_unsigned())
}

/// Notes what a running task's handler said of its progress.
pub(super) fn progress(
    sql: &Connection,
    worker: clawpool_core::task::ProcessId,
    news: &[(TaskId, String)],
) -> rusqlite::Result<()> {
    let mut update =
        sql.prepare_cached("UPDATE tasks SET progress = ?3 WHERE id = ?1 AND owner = ?2 AND state = 2")?;
    for (id, text) in news {
        update.execute(params![id, worker, text])?;
    }
    Ok(())
}
