//! Removes what need not be remembered any longer, in small steps that ride on other writes.

use rusqlite::params;

use super::Rules;
use crate::backend::sqlite::Write;
use clawpool_core::task::Timestamp;

/// Rows that a heartbeat removes at most.
const STEP: usize = 200;

pub(crate) fn records(write: &Write<'_>, limit: usize) -> rusqlite::Result<()> {
    let delete = "DELETE FROM tasks WHERE id IN
                  (SELECT id FROM tasks WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2)";
    write.sql.prepare_cached(delete)?.execute(params![write.now, limit]).map(drop)
}

fn letters(write: &Write<'_>, rules: &Rules) -> rusqlite::Result<()> {
    let delete =
        "DELETE FROM dead WHERE id IN (SELECT id FROM dead WHERE died_at <= ?1 ORDER BY died_at LIMIT ?2)";
    let until = write.now.as_millis().saturating_sub(rules.keep_dead.as_millis() as u64);
    write.sql.prepare_cached(delete)?.execute(params![Timestamp::from_millis(until), STEP]).map(drop)
}

fn notes(write: &Write<'_>) -> rusqlite::Result<()> {
    let delete = "DELETE FROM notes WHERE name IN (SELECT name FROM notes WHERE until <= ?1 LIMIT ?2)";
    write.sql.prepare_cached(delete)?.execute(params![write.now, STEP]).map(drop)
}

fn logs(write: &Write<'_>) -> rusqlite::Result<()> {
    let delete = "DELETE FROM logs WHERE rowid IN (SELECT rowid FROM logs WHERE until <= ?1 LIMIT ?2)";
    write.sql.prepare_cached(delete)?.execute(params![write.now, STEP]).map(drop)
}

/// A step for times in which no tasks come.
pub(super) fn step(write: &Write<'_>, rules: &Rules) -> rusqlite::Result<()> {
    records(write, STEP)?;
    letters(write, rules)?;
    notes(write)?;
    logs(write)
}
