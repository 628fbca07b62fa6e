//! The statements on dead letters.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params, types::Value};

use crate::{
    backend::sqlite::{MESSAGE, Sifted, message, readable, sift},
    store::{Budget, DeadFilter, DeadLetter, Page},
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

/// Every letter before one, the latest first, and whether it is wanted.
pub(super) const CHOICE: &str = "SELECT died_at, id, rowid AS place, (:reason IS NULL OR reason = :reason)
                 AND (:priority IS NULL OR priority = :priority)
                 AND (:tenant IS NULL OR tenant = :tenant)
                 AND (:kind IS NULL OR kind GLOB :kind) AS wanted
                 FROM dead WHERE (:at IS NULL OR (died_at, id) < (:at, :id))
                 AND died_at >= :since AND died_at < :until ORDER BY died_at DESC, id DESC";

/// The latest first. Goes over the letters without their messages, and reads those that are shown.
pub(super) fn list(
    sql: &Connection,
    filter: &DeadFilter,
    before: Option<(u64, TaskId)>,
    limit: usize,
) -> rusqlite::Result<Sifted<Page<DeadLetter>>> {
    let mut query = sql.prepare_cached(CHOICE)?;
    let mut rows = query.query(named_params! {
        ":at": before.map(|(at, _)| at),
        ":id": before.map(|(_, id)| id),
        ":reason": filter.reason,
        ":priority": filter.priority,
        ":tenant": filter.tenant,
        ":kind": filter.kind.as_ref().map(KindPattern::as_str),
        ":since": filter.since.unwrap_or_default(),
        ":until": filter.until.unwrap_or(Timestamp::from_millis(u64::MAX)),
    })?;
    let looks_inside = !filter.inside().is_empty();
    let mut budget = Budget::new();
    let mut items = Vec::new();
    let mut after = None;
    while let Some(row) = rows.next()? {
        let is_wanted = row.get::<_, Option<bool>>("wanted")?.unwrap_or_default();
        let is_more = is_wanted && !looks_inside && items.len() == limit;
        if is_more || budget.is_spent() {
            return Ok(ControlFlow::Continue(budget.page(items, after)));
        }
        let mut found = None;
        let mut bytes = 0;
        if is_wanted {
            match at_place(sql, row.get("place")?)? {
                ControlFlow::Continue(letter) => {
                    bytes = letter.message.body.len();
                    found = Some(letter).filter(|letter| filter.matches_inside(letter));
                }
                ControlFlow::Break(unreadable) => return Ok(ControlFlow::Break(vec![unreadable])),
            }
        }
        if found.is_some() && items.len() == limit {
            return Ok(ControlFlow::Continue(budget.page(items, after)));
        }
        items.extend(found);
        budget.spend(bytes);
        after = Some(format!("{}:{}", row.get::<_, Timestamp>(0)?.as_millis(), row.get::<_, TaskId>(1)?));
    }
    Ok(ControlFlow::Continue(budget.page(items, None)))
}

fn at_place(sql: &Connection, place: i64) -> rusqlite::Result<ControlFlow<Value, DeadLetter>> {
    let mut query =
        sql.prepare_cached(&format!("SELECT {MESSAGE}, *, rowid AS place FROM dead WHERE rowid = ?1"))?;
    query.query_row([place], |row| readable(row, "place", letter))
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
