//! Figures: a row for each counter of each window.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{SqliteStore, host_figures as hosts, leaders};
use crate::{
    backend::sqlite::Write,
    store::{Counters, Fence, FigureStore, HostWindow, StoreError, Window},
};
use clawpool_core::{
    figures::{MOST_COUNTERS, Step, WITHOUT_PLACE},
    task::Timestamp,
};

#[async_trait]
impl FigureStore for SqliteStore {
    async fn figures(&self, step: Step, from: Timestamp, to: Timestamp) -> Result<Vec<Window>, StoreError> {
        Ok(self.database.read(move |sql| read(sql, step, from, to)).await?)
    }

    async fn put_figures(&self, fence: Fence, step: Step, window: &Window) -> Result<(), StoreError> {
        let window = window.clone();
        let put = move |write: &mut Write<'_>| {
            replace(write, step, &window)?;
            forget(write)
        };
        self.database.write(move |write| leaders::fenced_if_led(write, Some(fence), put)).await?
    }

    async fn host_figures(
        &self,
        step: Step,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HostWindow>, StoreError> {
        Ok(self.database.read(move |sql| hosts::read(sql, step, from, to)).await?)
    }

    async fn put_host_figures(
        &self,
        fence: Fence,
        step: Step,
        window: &HostWindow,
    ) -> Result<(), StoreError> {
        let window = window.clone();
        let put = move |write: &mut Write<'_>| hosts::put(write, step, &window);
        self.database.write(move |write| leaders::fenced_if_led(write, Some(fence), put)).await?
    }
}

/// What one call adds, counted in memory first. Ends that are alike share their counters, and are known by
/// the address of these.
#[derive(Default)]
pub(super) struct Counted<'a>(HashMap<*const Arc<str>, (&'a Counters, i64)>);

impl<'a> Counted<'a> {
    pub(super) fn add(&mut self, counters: &'a Counters) {
        self.0.entry(counters.as_ptr()).or_insert((counters, 0)).1 += 1;
    }

    fn sums(&self) -> HashMap<&'a str, i64> {
        let mut sums = HashMap::new();
        for (counters, count) in self.0.values() {
            for name in counters.iter() {
                *sums.entry(&**name).or_default() += count;
            }
        }
        sums
    }

    /// Each counter of the window that is under way is written once.
    pub(super) fn write(&self, write: &Write<'_>) -> rusqlite::Result<()> {
        let at = Step::TenSeconds.window(write.now);
        let mut unknown = Vec::new();
        for (name, count) in self.sums() {
            if !raise(write, at, name, count)? {
                unknown.push((name, count));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let mut room = MOST_COUNTERS.saturating_sub(count(write, at)?);
        for (name, count) in unknown {
            let name = if room > 0 { name } else { WITHOUT_PLACE };
            insert(write, at, name, count)?;
            room = room.saturating_sub(1);
        }
        Ok(())
    }
}

/// False where the window does not have this counter yet.
fn raise(write: &Write<'_>, at: Timestamp, name: &str, by: i64) -> rusqlite::Result<bool> {
    let update = "UPDATE figures SET count = count + ?4 WHERE step = ?1 AND at = ?2 AND name = ?3";
    let step = length(Step::TenSeconds);
    Ok(write.sql.prepare_cached(update)?.execute(params![step, at, name, by])? == 1)
}

fn count(write: &Write<'_>, at: Timestamp) -> rusqlite::Result<usize> {
    let query = "SELECT count(*) FROM figures WHERE step = ?1 AND at = ?2";
    write.sql.prepare_cached(query)?.query_row(params![length(Step::TenSeconds), at], |row| row.get(0))
}

fn insert(write: &Write<'_>, at: Timestamp, name: &str, count: i64) -> rusqlite::Result<()> {
    let insert = "INSERT INTO figures (step, at, name, count) VALUES (?1, ?2, ?3, ?4)
                  ON CONFLICT DO UPDATE SET count = count + ?4";
    let step = length(Step::TenSeconds);
    write.sql.prepare_cached(insert)?.execute(params![step, at, name, count]).map(drop)
}

fn replace(write: &Write<'_>, step: Step, window: &Window) -> rusqlite::Result<()> {
    let delete = "DELETE FROM figures WHERE step = ?1 AND at = ?2";
    write.sql.prepare_cached(delete)?.execute(params![length(step), window.at])?;
    let insert = "INSERT INTO figures (step, at, name, count) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = write.sql.prepare_cached(insert)?;
    for (name, count) in &window.counts {
        insert.execute(params![length(step), window.at, name, i64::try_from(*count).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

fn forget(write: &Write<'_>) -> rusqlite::Result<()> {
    let mut delete = write.sql.prepare_cached("DELETE FROM figures WHERE step = ?1 AND at < ?2")?;
    for step in Step::ALL {
        let kept = u64::try_from(step.kept().as_millis()).unwrap_or(u64::MAX);
        let since = Timestamp::from_millis(write.now.as_millis().saturating_sub(kept));
        delete.execute(params![length(step), since])?;
    }
    Ok(())
}

fn read(sql: &Connection, step: Step, from: Timestamp, to: Timestamp) -> rusqlite::Result<Vec<Window>> {
    let query = "SELECT at, name, count FROM figures WHERE step = ?1 AND at >= ?2 AND at < ?3 ORDER BY at";
    let mut query = sql.prepare_cached(query)?;
    let mut rows = query.query(params![length(step), from, to])?;
    let mut windows: Vec<Window> = Vec::new();
    while let Some(row) = rows.next()? {
        let at: Timestamp = row.get(0)?;
        if windows.last().is_none_or(|window| window.at != at) {
            windows.push(Window { at, counts: BTreeMap::new() });
        }
        if let Some(window) = windows.last_mut() {
            window.counts.insert(row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs());
        }
    }
    Ok(windows)
}

pub(super) fn length(step: Step) -> i64 {
    i64::try_from(step.length().as_millis()).unwrap_or(i64::MAX)
}
