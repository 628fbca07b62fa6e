//! Looks at one message. No index names a message's task, for the sake of every publish: it is looked for
//! where it should be.

use std::{collections::HashMap, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    backend::sqlite::{MESSAGE, message},
    broker::Missing,
};
use clawpool_core::task::{Message, TaskId, Timestamp};

/// Rows that one look goes through.
const ROWS: i64 = 20_000;
/// Rows before the one where it should be: clocks of producers' processes differ a little.
const SLACK: i64 = 1_000;
/// Times are told in whole ones of these.
const TICK: Duration = Duration::from_millis(1);

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

/// The same of many that were enqueued one after the other, which are looked for together.
pub(super) fn peek_all(
    sql: &Connection,
    wanted: &[(Missing, Timestamp)],
) -> rusqlite::Result<Vec<Option<Message>>> {
    let times = || wanted.iter().map(|(_, enqueued_at)| *enqueued_at);
    let (Some(earliest), Some(latest)) = (times().min(), times().max()) else { return Ok(Vec::new()) };
    let mut looked_for = HashMap::new();
    for (position, (missing, _)) in wanted.iter().enumerate() {
        looked_for.insert((missing.id, missing.generation), position);
    }
    let mut rows = vec![None; wanted.len()];
    let first = first_from(sql, earliest)?;
    let last = first_from(sql, latest + TICK)?.min(first + ROWS);
    let newest = newest(sql)?;
    // Where they should be, about there, and where what waited in the schedule set comes late.
    let places = [(first, last), (first - SLACK, last + SLACK), (newest - ROWS, newest)];
    for place in places {
        if looked_for.is_empty() {
            break;
        }
        find_rows(sql, place, &mut looked_for, &mut rows)?;
    }
    let found = |((wanted, _), row): (&(Missing, Timestamp), Option<i64>)| match row {
        Some(row) => within(sql, wanted, row, row),
        None => Ok(None),
    };
    wanted.iter().zip(rows).map(found).collect()
}

/// Of the messages that are looked for, takes those out that are in these rows.
fn find_rows(
    sql: &Connection,
    (first, last): (i64, i64),
    looked_for: &mut HashMap<(TaskId, u32), usize>,
    found: &mut [Option<i64>],
) -> rusqlite::Result<()> {
    let query = "SELECT seq, id, generation FROM messages WHERE seq BETWEEN ?1 AND ?2";
    let mut query = sql.prepare_cached(query)?;
    let mut rows = query.query([first, last])?;
    while !looked_for.is_empty()
        && let Some(row) = rows.next()?
    {
        // What cannot be read is no message that is looked for.
        let (Ok(id), Ok(generation)) = (row.get(1), row.get(2)) else { continue };
        if let Some(position) = looked_for.remove(&(id, generation)) {
            found[position] = Some(row.get(0)?);
        }
    }
    Ok(())
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
