//! The figures of machines: a row for each machine of each window.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::figures::length;
use crate::{backend::sqlite::Write, store::HostWindow};
use clawpool_core::{
    figures::{HostFigures, Step},
    task::Timestamp,
};

/// Puts a window in place of what was there, and forgets those of its step that are past their time.
pub(super) fn put(write: &mut Write<'_>, step: Step, window: &HostWindow) -> rusqlite::Result<()> {
    let kept = u64::try_from(step.kept().as_millis()).unwrap_or(u64::MAX);
    let since = Timestamp::from_millis(write.now.as_millis().saturating_sub(kept));
    let delete = "DELETE FROM host_figures WHERE step = ?1 AND (at < ?2 OR at = ?3)";
    write.sql.prepare_cached(delete)?.execute(params![length(step), since, window.at])?;
    let insert = "INSERT INTO host_figures (step, at, host, figures) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = write.sql.prepare_cached(insert)?;
    for (host, figures) in &window.hosts {
        insert.execute(params![length(step), window.at, host, figures.pack()])?;
    }
    Ok(())
}

pub(super) fn read(
    sql: &Connection,
    step: Step,
    from: Timestamp,
    to: Timestamp,
) -> rusqlite::Result<Vec<HostWindow>> {
    let query =
        "SELECT at, host, figures FROM host_figures WHERE step = ?1 AND at >= ?2 AND at < ?3 ORDER BY at";
    let mut query = sql.prepare_cached(query)?;
    let mut rows = query.query(params![length(step), from, to])?;
    let mut windows: Vec<HostWindow> = Vec::new();
    while let Some(row) = rows.next()? {
        let at: Timestamp = row.get(0)?;
        let Some(figures) = HostFigures::read(&row.get::<_, Vec<u8>>(2)?) else { continue };
        if windows.last().is_none_or(|window| window.at != at) {
            windows.push(HostWindow { at, hosts: BTreeMap::new() });
        }
        if let Some(window) = windows.last_mut() {
            window.hosts.insert(row.get(1)?, figures);
        }
    }
    Ok(windows)
}
