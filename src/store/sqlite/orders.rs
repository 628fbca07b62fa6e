//! What a worker is told with its next heartbeat.

use rusqlite::params;

use super::writer::Write;
use crate::{
    store::Orders,
    task::{TaskId, WorkerId},
};

#[derive(Clone, Copy)]
pub(super) enum Order {
    /// Somebody cancelled the task.
    Cancel = 0,
    /// Another worker has the task now.
    Lost = 1,
}

pub(super) fn give(write: &Write<'_>, worker: WorkerId, task: TaskId, order: Order) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO orders (worker, task, what, at) VALUES (?1, ?2, ?3, ?4)";
    write.sql.prepare_cached(insert)?.execute(params![worker, task, order as i64, write.now]).map(drop)
}

/// Takes all that waits for the worker.
pub(super) fn collect(write: &Write<'_>, worker: WorkerId, orders: &mut Orders) -> rusqlite::Result<()> {
    let mut query = write.sql.prepare_cached("SELECT task, what FROM orders WHERE worker = ?1")?;
    let mut rows = query.query([worker])?;
    while let Some(row) = rows.next()? {
        let list = if row.get::<_, i64>(1)? == Order::Lost as i64 { &mut orders.lost } else { &mut orders.cancel };
        list.push(row.get(0)?);
    }
    if !(orders.lost.is_empty() && orders.cancel.is_empty()) {
        write.sql.prepare_cached("DELETE FROM orders WHERE worker = ?1")?.execute([worker])?;
    }
    Ok(())
}

/// Removes what a worker that has gone will not ask for, and what one that nobody knows has not asked for in a day.
pub(super) fn forget(write: &Write<'_>, worker: WorkerId) -> rusqlite::Result<()> {
    let delete = "DELETE FROM orders WHERE worker = ?1 OR at < ?2 - 86400000";
    write.sql.prepare_cached(delete)?.execute(params![worker, write.now]).map(drop)
}
