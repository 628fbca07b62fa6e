//! The statements on the schedule set that several steps share.

use rusqlite::{Connection, params};

use crate::backend::sqlite::{Topic, Write};
use clawpool_core::task::{Message, TaskId, Timestamp};

/// Adds an entry, or moves it.
pub(super) fn put(write: &mut Write<'_>, message: &Message, at: Timestamp) -> rusqlite::Result<()> {
    let upsert = "INSERT INTO schedule (id, generation, at, priority, queue, enqueued_at, expires_at, body)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                  ON CONFLICT (id, generation) DO UPDATE SET at = excluded.at, taken = 0";
    write.sql.prepare_cached(upsert)?.execute(params![
        message.id,
        message.generation,
        at,
        message.priority(),
        message.queue.own(),
        message.enqueued_at,
        message.expires_at,
        &*message.body,
    ])?;
    write.rings.ring(Topic::Schedule);
    Ok(())
}

pub(super) fn remove(sql: &Connection, id: TaskId, generation: u32) -> rusqlite::Result<()> {
    sql.prepare_cached("DELETE FROM schedule WHERE id = ?1 AND generation = ?2")?
        .execute(params![id, generation])?;
    Ok(())
}

pub(super) fn remove_all(sql: &Connection, id: TaskId) -> rusqlite::Result<()> {
    sql.prepare_cached("DELETE FROM schedule WHERE id = ?1")?.execute([id]).map(drop)
}
