//! Records that cannot be read: each must cost its own task alone, so it is taken out of the table and kept as text.

use std::{ops::ControlFlow, time::Duration};

use rusqlite::{Row, params};

use super::{SqliteStore, error::is_unreadable, writer::Write};
use crate::{store::StoreError, task::TaskId};

/// What was set aside can be looked at this long.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Ids told of at a time.
const NAMES: u32 = 100;

/// The value of a row, or the id of one that cannot be read.
pub(super) fn readable<T>(
    row: &Row<'_>,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<ControlFlow<TaskId, T>> {
    match read(row) {
        Err(error) if is_unreadable(&error) => Ok(ControlFlow::Break(row.get("id")?)),
        value => value.map(ControlFlow::Continue),
    }
}

pub(super) fn set_aside(write: &Write<'_>, id: TaskId) -> rusqlite::Result<()> {
    tracing::error!(%id, "the record of a task cannot be read: it is set aside");
    let forget = "DELETE FROM set_aside WHERE at < ?1";
    let old = write.now.as_millis().saturating_sub(KEPT.as_millis() as u64);
    write.sql.prepare_cached(forget)?.execute([old])?;
    let keep = "REPLACE INTO set_aside (id, at, row) SELECT id, ?2, json_object('kind', quote(kind),
                'priority', quote(priority), 'tenant', quote(tenant), 'unique_key', quote(unique_key),
                'state', quote(state), 'generation', quote(generation), 'attempt', quote(attempt),
                'crashes', quote(crashes), 'token', quote(token), 'owner', quote(owner),
                'enqueued_at', quote(enqueued_at), 'expires_at', quote(expires_at), 'started_at', quote(started_at),
                'finished_at', quote(finished_at), 'progress', quote(progress), 'result', quote(result),
                'failure', quote(failure)) FROM tasks WHERE id = ?1";
    write.sql.prepare_cached(keep)?.execute(params![id, write.now])?;
    write.sql.prepare_cached("DELETE FROM tasks WHERE id = ?1")?.execute([id]).map(drop)
}

impl SqliteStore {
    pub(super) async fn set_aside_all(&self, ids: Vec<TaskId>) -> Result<(), StoreError> {
        let work = move |write: &mut Write<'_>| ids.iter().try_for_each(|id| set_aside(write, *id));
        Ok(self.database.write(work).await?)
    }

    pub(super) async fn set_aside_untold(&self, told: &[TaskId]) -> Result<Vec<TaskId>, StoreError> {
        if !told.is_empty() {
            let told = told.to_vec();
            let mark = "UPDATE set_aside SET told = 1 WHERE id = ?1";
            let work = move |write: &mut Write<'_>| {
                told.iter().try_for_each(|id| write.sql.prepare_cached(mark)?.execute([id]).map(drop))
            };
            self.database.write(work).await?;
        }
        let query = "SELECT id FROM set_aside WHERE told = 0 LIMIT ?1";
        let ids = self.database.read(|sql| sql.prepare_cached(query)?.query_map([NAMES], |row| row.get(0))?.collect());
        Ok(ids.await?)
    }
}
