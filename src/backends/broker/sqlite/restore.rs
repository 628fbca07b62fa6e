//! Looking for messages that should wait, and putting back those that neither wait nor are held by a living
//! worker.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::queue::{Changes, count};
use crate::{
    backend::sqlite::Write,
    broker::{Found, Missing},
};
use clawpool_core::task::{ProcessId, Queue, TaskId};

/// A message that is there.
#[derive(Clone, Copy)]
pub(super) struct Row {
    seq: i64,
    queue: Queue,
    waits: bool,
    owner: Option<ProcessId>,
}

/// No index names a message's task, for the sake of every publish: this reads all of them, and is asked
/// seldom.
pub(super) fn look(sql: &Connection, missing: &[Missing]) -> rusqlite::Result<Vec<Option<Row>>> {
    let mut wanted: HashMap<(TaskId, u32), Option<Row>> =
        missing.iter().map(|missing| ((missing.id, missing.generation), None)).collect();
    let query = "SELECT id, generation, seq, ifnull(queue, priority), EXISTS (SELECT 1 FROM waiting
                 WHERE waiting.queue = ifnull(messages.queue, priority) AND waiting.seq = messages.seq),
                 coalesce((SELECT owner FROM held WHERE held.seq = messages.seq),
                          (SELECT owner FROM tasks
                           WHERE tasks.id = messages.id AND state = 2 AND tasks.message = messages.seq))
                 FROM messages";
    let mut query = sql.prepare_cached(query)?;
    let mut rows = query.query(())?;
    while let Some(row) = rows.next()? {
        let (Ok(id), Ok(generation), Ok(queue)) = (row.get(0), row.get(1), row.get(3)) else { continue };
        if let Some(found) = wanted.get_mut(&(id, generation)) {
            *found = Some(Row { seq: row.get(2)?, queue, waits: row.get(4)?, owner: row.get(5)? });
        }
    }
    Ok(missing
        .iter()
        .map(|missing| wanted.get(&(missing.id, missing.generation)).copied().flatten())
        .collect())
}

/// Whether it waits, or is held by a worker that lives.
pub(super) fn is_present(row: &Row, living: &[ProcessId]) -> bool {
    row.waits || row.owner.is_some_and(|owner| living.contains(&owner))
}

pub(super) fn put_back(write: &mut Write<'_>, rows: &[Row]) -> rusqlite::Result<()> {
    let mut changes = Changes::default();
    for row in rows {
        write.sql.prepare_cached("DELETE FROM held WHERE seq = ?1")?.execute([row.seq])?;
        let wait = "INSERT OR IGNORE INTO waiting (queue, seq) SELECT ?1, seq FROM messages
                    WHERE seq = ?2 AND ifnull(queue, priority) = ?1";
        let added = write.sql.prepare_cached(wait)?.execute(params![row.queue, row.seq])?;
        changes.add(row.queue, i64::try_from(added).unwrap_or_default());
    }
    count(write, &changes)
}

pub(super) const fn found(row: Option<&Row>, present: bool) -> Found {
    match (row, present) {
        (None, _) => Found::Gone,
        (Some(_), true) => Found::There,
        (Some(_), false) => Found::Restored,
    }
}
