//! The logs of attempts: a row each, whose lines are replaced as more come.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use crate::{
    backend::sqlite::Write,
    store::{AttemptLog, LOGS_KEPT, LogLines, LogRules, LogStore, StoreError},
};
use clawpool_core::task::TaskId;

#[async_trait]
impl LogStore for SqliteStore {
    async fn append_logs(&self, rules: LogRules, pieces: &[LogLines]) -> Result<(), StoreError> {
        let pieces = pieces.to_vec();
        let append =
            move |write: &mut Write<'_>| pieces.iter().try_for_each(|piece| append(write, rules, piece));
        Ok(self.database.write(append).await?)
    }

    async fn logs(&self, id: TaskId) -> Result<Vec<AttemptLog>, StoreError> {
        Ok(self.database.read(move |sql| read(sql, id)).await?)
    }
}

fn append(write: &Write<'_>, rules: LogRules, piece: &LogLines) -> rusqlite::Result<()> {
    let LogLines { id, attempt, lines } = piece;
    let before = "SELECT lines FROM logs WHERE task = ?1 AND attempt = ?2";
    let mut before = write.sql.prepare_cached(before)?;
    let before: Option<Vec<u8>> = before.query_row(params![id, attempt], |row| row.get(0)).optional()?;
    let all = [before.as_deref().unwrap_or_default(), lines].concat();
    let until = write.now + rules.keep;
    let put = "REPLACE INTO logs (task, attempt, until, lines) VALUES (?1, ?2, ?3, ?4)";
    write.sql.prepare_cached(put)?.execute(params![id, attempt, until, rules.latest(&all)])?;
    // All logs of a task go together.
    let renew = "UPDATE logs SET until = ?2 WHERE task = ?1 AND until < ?2";
    write.sql.prepare_cached(renew)?.execute(params![id, until])?;
    let old = "DELETE FROM logs WHERE task = ?1 AND attempt <= ?2";
    let oldest = attempt.saturating_sub(LOGS_KEPT);
    write.sql.prepare_cached(old)?.execute(params![id, oldest]).map(drop)
}

fn read(sql: &Connection, id: TaskId) -> rusqlite::Result<Vec<AttemptLog>> {
    let query = "SELECT attempt, lines FROM logs WHERE task = ?1 ORDER BY attempt";
    let log = |row: &rusqlite::Row<'_>| {
        let lines: Vec<u8> = row.get(1)?;
        Ok(AttemptLog { attempt: row.get(0)?, lines: lines.into() })
    };
    sql.prepare_cached(query)?.query_map([id], log)?.collect()
}
