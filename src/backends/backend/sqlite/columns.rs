//! How a message and a suspicion are read from a row.

use bytes::Bytes;
use clawpool_core::{retry::Suspicion, task::Message};
use rusqlite::Row;

pub(crate) use clawpool_core::columns::{packed, packed_before, unpacked};

/// In a query: the queue of a row that has a priority, and the text of one of a user's own or null.
pub(crate) const QUEUE: &str = "ifnull(queue, priority)";

/// What a query selects first, whatever the table, for `message` to read.
pub(crate) const MESSAGE: &str = "id, generation, ifnull(queue, priority), enqueued_at, expires_at, body";

pub fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        generation: row.get(1)?,
        queue: row.get(2)?,
        enqueued_at: row.get(3)?,
        expires_at: row.get(4)?,
        body: Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?),
    })
}

/// From a count of crashes and the column after it, which older records have empty.
pub fn suspicion(row: &Row<'_>, index: usize) -> rusqlite::Result<Suspicion> {
    Ok(Suspicion::unpacked(row.get(index)?, row.get(index + 1)?))
}
