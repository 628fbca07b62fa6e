//! Looks at one message. No index names a message's task, for the sake of every publish: it is looked for
//! where it should be.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    backend::sqlite::{MESSAGE, message},
    broker::Missing,
};
use clawpool_core::task::{Message, Timestamp};

/// Rows that one look goes through.
const ROWS: i64 = 20_000;
/// Rows before the one where it should be: clocks of producers' processes differ a little.
const SLACK: i64 = 1_000;

pub(super) fn peek(
    sql: &Connection,
    wanted: &Missing,
    enqueued_at: Timestamp,
) -> rusqlite::Result<Option<Message>> {
    let claimed = "SELECT message FROM tasks WHERE id = ?1";
    let claimed: Option<Option<i64>> =
        sql.prepare_cached(claimed)?.query_row([wanted.id], |row| row.get(0)).optional()?;
    if let Some(row) = claimed.flatten()
        && let Some(found) = within(sql, wanted, row, row)?
    {
        return Ok(Some(found));
    }
    let first = first_from(sql, enqueued_at)? - SLACK;
    if let Some(found) = within(sql, wanted, first, first + ROWS)? {
        return Ok(Some(found));
    }
    // What waited in the schedule set came to its queue late.
    let newest = newest(sql)?;
    within(sql, wanted, newest - ROWS, newest)
}

fn within(sql: &Connection, wanted: &Missing, first: i64, last: i64) -> rusqlite::Result<Option<Message>> {
    let query = format!(
        "SELECT {MESSAGE} FROM messages WHERE seq BETWEEN ?1 AND ?2 AND id = ?3 AND generation = ?4 LIMIT 1"
    );
    let parameters = params![first, last, wanted.id, wanted.generation];
    sql.prepare_cached(&query)?.query_row(parameters, message).optional()
}

/// The first row whose task was enqueued at this time or later, by halves: rows are in about this order.
fn first_from(sql: &Connection, enqueued_at: Timestamp) -> rusqlite::Result<i64> {
    let probe = "SELECT enqueued_at FROM messages WHERE seq >= ?1 ORDER BY seq LIMIT 1";
    let mut probe = sql.prepare_cached(probe)?;
    let oldest = number(sql, "SELECT min(seq) FROM messages")?;
    let (mut low, mut high) = (oldest, newest(sql)?);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<Timestamp> = probe.query_row([middle], |row| row.get(0)).optional()?;
        if found.is_some_and(|found| found < enqueued_at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn newest(sql: &Connection) -> rusqlite::Result<i64> {
    number(sql, "SELECT max(seq) FROM messages")
}

fn number(sql: &Connection, query: &str) -> rusqlite::Result<i64> {
    let number: Option<i64> = sql.prepare_cached(query)?.query_row((), |row| row.get(0))?;
    Ok(number.unwrap_or_default())
}
