//! Rows that cannot be read: each must cost itself alone, so it is taken out of its table and kept as text.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use rusqlite::{
    OptionalExtension, Row, params,
    types::{Value, ValueRef},
};

use super::{error::is_unreadable, writer::Write};
use crate::backend::{StoredItem, Unreadable};

/// What was set aside can be looked at this long.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// The table of a thing, the column that finds a row of it, and the one that names it for people.
const fn place(what: StoredItem) -> [&'static str; 3] {
    match what {
        StoredItem::Record => ["tasks", "id", "id"],
        StoredItem::Entry => ["schedule", "rowid", "id"],
        StoredItem::DeadLetter => ["dead", "rowid", "id"],
        StoredItem::Journal => ["journal", "seq", "seq"],
        StoredItem::Note => ["notes", "name", "name"],
        StoredItem::Heartbeat => ["workers", "id", "id"],
        StoredItem::Message => ["messages", "seq", "id"],
    }
}

/// What was read, or the keys of the rows that cannot be.
pub type Sifted<T> = ControlFlow<Vec<Value>, T>;

/// The value of a row, or its key, the column `key`, where it cannot be read.
pub fn readable<T>(
    row: &Row<'_>,
    key: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<ControlFlow<Value, T>> {
    match read(row) {
        Err(error) if is_unreadable(&error) => Ok(ControlFlow::Break(row.get(key)?)),
        value => value.map(ControlFlow::Continue),
    }
}

pub fn sift<T>(
    rows: impl Iterator<Item = rusqlite::Result<ControlFlow<Value, T>>>,
) -> rusqlite::Result<Sifted<Vec<T>>> {
    let (whole, unreadable) = part(rows)?;
    Ok(if unreadable.is_empty() { ControlFlow::Continue(whole) } else { ControlFlow::Break(unreadable) })
}

/// What can be read, and the keys of the rest.
pub fn part<T>(
    rows: impl Iterator<Item = rusqlite::Result<ControlFlow<Value, T>>>,
) -> rusqlite::Result<(Vec<T>, Vec<Value>)> {
    let mut whole = Vec::new();
    let mut unreadable = Vec::new();
    for row in rows {
        match row? {
            ControlFlow::Continue(value) => whole.push(value),
            ControlFlow::Break(key) => unreadable.push(key),
        }
    }
    Ok((whole, unreadable))
}

/// Takes the rows with these keys out of their table.
pub fn set_aside(write: &Write<'_>, what: StoredItem, keys: &[Value]) -> rusqlite::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let old = write.now.as_millis().saturating_sub(KEPT.as_millis() as u64);
    write.sql.prepare_cached("DELETE FROM set_aside WHERE at < ?1")?.execute([old])?;
    let [table, key, name] = place(what);
    let mut find =
        write.sql.prepare(&format!("SELECT *, {name} AS name_here FROM {table} WHERE {key} = ?1"))?;
    let mut delete = write.sql.prepare(&format!("DELETE FROM {table} WHERE {key} = ?1"))?;
    let keep = "REPLACE INTO set_aside (what, name, at, row) VALUES (?1, ?2, ?3, ?4)";
    let mut keep = write.sql.prepare_cached(keep)?;
    for key in keys {
        let row = |row: &Row<'_>| Ok((bytes(row.get_ref("name_here")?), as_text(row)));
        let Some((name, text)) = find.query_row([key], row).optional()? else { continue };
        let unreadable = Unreadable::new(what, name);
        tracing::error!(name = %unreadable, "what is among the {what} cannot be read: it is set aside");
        keep.execute(params![what.code().to_string(), unreadable.name, write.now, text])?;
        delete.execute([key])?;
    }
    Ok(())
}

/// Every column by its name.
fn as_text(row: &Row<'_>) -> String {
    let columns: BTreeMap<&str, String> = row
        .as_ref()
        .column_names()
        .filter(|name| *name != "name_here")
        .filter_map(|name| Some((name, quoted(row.get_ref(name).ok()?))))
        .collect();
    serde_json::to_string(&columns).unwrap_or_default()
}

fn quoted(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(blob) => {
            let hex: String = blob.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
    }
}

fn bytes(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes.to_vec(),
        other => quoted(other).into_bytes(),
    }
}
