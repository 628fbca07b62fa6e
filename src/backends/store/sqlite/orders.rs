//! What a worker is told with its next heartbeat.

use rusqlite::params;

use crate::{
    backend::sqlite::{QUEUE, Write},
    store::{Claimed, Orders, Question},
};
use clawpool_core::task::{ProcessId, Queue, TaskId};

#[derive(Clone, Copy)]
pub(super) enum Order {
    /// The task was cancelled.
    Cancel = 0,
    /// Another worker has the task now.
    Lost = 1,
    /// Does it run the task?
    Asked = 2,
}

pub(super) fn give(write: &Write<'_>, worker: ProcessId, task: TaskId, order: Order) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO orders (worker, task, what, at) VALUES (?1, ?2, ?3, ?4)";
    write.sql.prepare_cached(insert)?.execute(params![worker, task, order as i64, write.now]).map(drop)
}

pub(super) fn ask(write: &Write<'_>, questions: &[Question]) -> rusqlite::Result<()> {
    let replace = "REPLACE INTO orders (worker, task, what, at, token) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut replace = write.sql.prepare_cached(replace)?;
    questions.iter().try_for_each(|Question { worker, task, token }| {
        replace.execute(params![worker, task, Order::Asked as i64, write.now, token]).map(drop)
    })
}

/// Takes all that waits for the worker. A question whose claim has ended or passed on need not be answered
/// any more.
pub(super) fn collect(write: &Write<'_>, worker: ProcessId, orders: &mut Orders) -> rusqlite::Result<()> {
    let query = format!(
        "SELECT task, what, orders.token, {QUEUE} FROM orders LEFT JOIN tasks
         ON tasks.id = task AND state = 2 AND owner = worker AND tasks.token = orders.token
         WHERE worker = ?1"
    );
    let mut query = write.sql.prepare_cached(&query)?;
    let mut rows = query.query([worker])?;
    let mut any = false;
    while let Some(row) = rows.next()? {
        any = true;
        // What names no task is no order of this program.
        let Ok(task) = row.get(0) else { continue };
        let what: i64 = row.get(1)?;
        if what == Order::Lost as i64 {
            orders.lost.push(task);
        } else if what == Order::Cancel as i64 {
            orders.cancel.push(task);
        } else if let Ok(Some(queue)) = row.get::<_, Option<Queue>>(3) {
            orders.asked.push(Claimed { id: task, queue, token: row.get(2)? });
        }
    }
    if any {
        write.sql.prepare_cached("DELETE FROM orders WHERE worker = ?1")?.execute([worker])?;
    }
    Ok(())
}

/// Removes what a worker that has gone will not ask for, and what an unknown worker has not asked for in a
/// day.
pub(super) fn forget(write: &Write<'_>, worker: ProcessId) -> rusqlite::Result<()> {
    let delete = "DELETE FROM orders WHERE worker = ?1 OR at < ?2 - 86400000";
    write.sql.prepare_cached(delete)?.execute(params![worker, write.now]).map(drop)
}
