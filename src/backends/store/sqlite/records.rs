//! Reading records.

use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{
    listing::{self, OTHER, TIMED},
    withdrawal::KNOWN,
};
use crate::{
    backend::sqlite::{Sifted, readable, sift},
    store::{ENDS_LOOKED_AT, ENDS_TOLD, Page, Record, StoreError, UnfinishedTask, Waiting, tasks::told},
};
use clawpool_core::task::{Fingerprint, IdEnd, State, TaskId, Timestamp};

// What a dead worker ran is shown as waiting for another one (`orphan`). The record is at the generation of
// its entry as long as it is scheduled.
pub(super) const COLUMNS: &str = "tasks.*, ifnull(queue, priority) AS on_queue,
     tasks.state = 2 AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = owner AND lease_until > :now)
         AS orphan,
     (SELECT at FROM schedule WHERE tasks.state = 0 AND schedule.id = tasks.id
         AND schedule.generation = tasks.generation) AS due_at";
pub(super) const ORPHAN: &str = "state = 2 AND NOT EXISTS (SELECT 1 FROM workers
                      WHERE workers.id = owner AND lease_until > :now)";
pub(super) const REMEMBERED: &str = "(forget_at IS NULL OR forget_at > :now)";

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

/// Of the latest tasks, and of the latest dead letters, those whose ids end so.
pub(super) fn ending_in(sql: &Connection, end: &IdEnd) -> rusqlite::Result<Vec<TaskId>> {
    let query = format!(
        "SELECT id FROM (SELECT id FROM tasks WHERE id < :below AND {TIMED} AND {REMEMBERED} AND {KNOWN}
                         ORDER BY id DESC LIMIT :looked)
         WHERE typeof(id) = 'blob' AND length(id) = 16 AND substr(hex(id), -length(:end)) = :end
         UNION SELECT id FROM (SELECT id FROM tasks INDEXED BY tasks_with_other_ids
                               WHERE {OTHER} AND {REMEMBERED} AND {KNOWN}
                               ORDER BY enqueued_at DESC LIMIT :looked)
         WHERE typeof(id) = 'blob' AND length(id) = 16 AND substr(hex(id), -length(:end)) = :end
         UNION SELECT id FROM (SELECT id FROM dead ORDER BY died_at DESC, id DESC LIMIT :looked)
         WHERE typeof(id) = 'blob' AND length(id) = 16 AND substr(hex(id), -length(:end)) = :end
         LIMIT :told"
    );
    let mut query = sql.prepare_cached(&query)?;
    let parameters = named_params! {
        ":now": Timestamp::now(),
        ":looked": ENDS_LOOKED_AT,
        ":below": listing::newest_below(),
        ":end": end.as_str().to_ascii_uppercase(),
        ":told": ENDS_TOLD,
    };
    query.query_map(parameters, |row| row.get(0))?.collect()
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
    Page::new(items, next)
}

/// Reads a cursor of `T` and an id, separated by a colon.
pub(super) fn cursor(text: &str) -> Result<(u64, TaskId), StoreError> {
    let parts = text.split_once(':').and_then(|(number, id)| Some((number.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| StoreError::BadCursor(text.to_owned()))
}

pub(super) fn id_cursor(text: &str) -> Result<TaskId, StoreError> {
    text.parse().map_err(|_| StoreError::BadCursor(text.to_owned()))
}

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
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
