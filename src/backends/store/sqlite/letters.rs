//! The statements on dead letters.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::records;
use crate::{
    backend::sqlite::{MESSAGE, Sifted, message, readable, sift},
    store::{DeadFilter, DeadLetter, Page},
};
use clawpool_core::task::{KindPattern, TaskId, Timestamp};

pub(super) fn put(sql: &Connection, letter: &DeadLetter) -> rusqlite::Result<()> {
    let insert =
        "REPLACE INTO dead (id, generation, kind, tenant, reason, priority, queue, crashes, failure, died_at,
                  enqueued_at, expires_at, body)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let message = &letter.message;
    sql.prepare_cached(insert)?
        .execute(params![
            message.id,
            message.generation,
            letter.kind,
            letter.tenant,
            letter.reason,
            message.priority(),
            message.queue.own(),
            letter.crashes,
            letter.failure,
            letter.died_at,
            message.enqueued_at,
            message.expires_at,
            &*message.body,
        ])
        .map(drop)
}

pub(super) fn is_there(sql: &Connection, id: TaskId) -> rusqlite::Result<bool> {
    sql.prepare_cached("SELECT 1 FROM dead WHERE id = ?1")?.exists([id])
}

pub(super) fn one(sql: &Connection, id: TaskId) -> rusqlite::Result<Sifted<Option<DeadLetter>>> {
    let mut query =
        sql.prepare_cached(&format!("SELECT {MESSAGE}, *, rowid AS place FROM dead WHERE id = ?1"))?;
    let rows = query.query_map([id], |row| readable(row, "place", letter))?;
    Ok(sift(rows)?.map_continue(|mut letters| letters.pop()))
}

pub(super) fn list(
    sql: &Connection,
    filter: &DeadFilter,
    before: Option<(u64, TaskId)>,
    limit: usize,
) -> rusqlite::Result<Sifted<Page<DeadLetter>>> {
    let query = "WHERE (:at IS NULL OR (died_at, id) < (:at, :id))
                 AND (:reason IS NULL OR reason = :reason) AND (:priority IS NULL OR priority = :priority)
                 AND (:tenant IS NULL OR tenant = :tenant)
                 AND (:kind IS NULL OR kind GLOB :kind)
                 AND died_at >= :since AND died_at < :until
                 ORDER BY died_at DESC, id DESC LIMIT :limit";
    let mut query = sql.prepare_cached(&format!("SELECT {MESSAGE}, *, rowid AS place FROM dead {query}"))?;
    let rows = query.query_map(
        named_params! {
            ":at": before.map(|(at, _)| at),
            ":id": before.map(|(_, id)| id),
            ":reason": filter.reason,
            ":priority": filter.priority,
            ":tenant": filter.tenant,
            ":kind": filter.kind.as_ref().map(KindPattern::as_str),
            ":since": filter.since.unwrap_or_default(),
            ":until": filter.until.unwrap_or(Timestamp::from_millis(u64::MAX)),
            ":limit": limit.saturating_add(1),
        },
        |row| readable(row, "place", letter),
    )?;
    let cursor = |last: &DeadLetter| format!("{}:{}", last.died_at.as_millis(), last.message.id);
    Ok(sift(rows)?.map_continue(|letters| records::page(letters, limit, cursor)))
}

/// Whether there was one; with what a record of the task would say.
pub(super) fn remove(sql: &Connection, id: TaskId) -> rusqlite::Result<Option<(String, Option<String>)>> {
    let mut delete = sql.prepare_cached("DELETE FROM dead WHERE id = ?1 RETURNING kind, tenant")?;
    delete.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        message: message(row)?,
        kind: row.get("kind")?,
        tenant: row.get("tenant")?,
        reason: row.get("reason")?,
        failure: row.get("failure")?,
        crashes: row.get("crashes")?,
        died_at: row.get("died_at")?,
    })
}
