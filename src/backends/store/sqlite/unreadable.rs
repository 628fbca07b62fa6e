//! What cannot be read is set aside, and the rest is read.

use std::ops::ControlFlow;

use rusqlite::{Connection, params, types::Value};

use super::SqliteStore;
use crate::{
    backend::{
        StoredItem, Unreadable,
        sqlite::{Sifted, Write, set_aside},
    },
    store::StoreError,
};

/// Told of at a time.
const NAMES: u32 = 100;

impl SqliteStore {
    /// Reads, and reads again for as long as there is something among it that must be set aside.
    pub(super) async fn read_around<T, F>(&self, what: StoredItem, read: F) -> Result<T, StoreError>
    where
        F: Fn(&Connection) -> rusqlite::Result<Sifted<T>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        loop {
            match self.database.read(read.clone()).await? {
                ControlFlow::Continue(value) => return Ok(value),
                ControlFlow::Break(keys) => self.set_aside_all(what, keys).await?,
            }
        }
    }

    pub(super) async fn set_aside_all(&self, what: StoredItem, keys: Vec<Value>) -> Result<(), StoreError> {
        Ok(self.database.write(move |write: &mut Write<'_>| set_aside(write, what, &keys)).await?)
    }

    pub(super) async fn untold_unreadable(&self, told: &[Unreadable]) -> Result<Vec<Unreadable>, StoreError> {
        if !told.is_empty() {
            let told = told.to_vec();
            let mark = "UPDATE set_aside SET told = 1 WHERE what = ?1 AND name = ?2";
            let work = move |write: &mut Write<'_>| {
                let mut mark = write.sql.prepare_cached(mark)?;
                told.iter().try_for_each(|told| {
                    mark.execute(params![told.what.code().to_string(), told.name]).map(drop)
                })
            };
            self.database.write(work).await?;
        }
        let query = "SELECT what, name FROM set_aside WHERE told = 0 LIMIT ?1";
        let rows: Vec<(String, Vec<u8>)> = self
            .database
            .read(|sql| {
                sql.prepare_cached(query)?.query_map([NAMES], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .await?;
        let unreadable = |(what, name): (String, Vec<u8>)| {
            Some(Unreadable::new(what.chars().next().and_then(StoredItem::of)?, name))
        };
        Ok(rows.into_iter().filter_map(unreadable).collect())
    }
}
