use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::leaders;
use crate::{
    backend::sqlite::Write,
    store::{Fence, NoteStore, StoreError},
};
use clawpool_core::task::Timestamp;

#[async_trait]
impl NoteStore for super::SqliteStore {
    async fn put_note(
        &self,
        fence: Option<Fence>,
        name: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        let put = move |write: &mut Write<'_>| {
            let until = keep.map(|keep| write.now + keep);
            let replace = "REPLACE INTO notes (name, value, until) VALUES (?1, ?2, ?3)";
            write.sql.prepare_cached(replace)?.execute(params![name, &value[..], until]).map(drop)
        };
        self.database.write(move |write| leaders::fenced_if_led(write, fence, put)).await?
    }

    async fn note(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let name = name.to_owned();
        Ok(self.database.read(move |sql| one(sql, &name)).await?)
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        let prefix = prefix.to_owned();
        Ok(self.database.read(move |sql| list(sql, &prefix)).await?)
    }

    async fn erase_note(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let delete = "DELETE FROM notes WHERE name = ?1 AND (until IS NULL OR until > ?2)";
        let work =
            move |write: &mut Write<'_>| write.sql.prepare_cached(delete)?.execute(params![name, write.now]);
        Ok(self.database.write(work).await? == 1)
    }
}

fn one(sql: &Connection, name: &str) -> rusqlite::Result<Option<Bytes>> {
    let query = "SELECT value FROM notes WHERE name = ?1 AND (until IS NULL OR until > ?2)";
    let value = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0).map(Bytes::from);
    sql.prepare_cached(query)?.query_row(params![name, Timestamp::now()], value).optional()
}

fn list(sql: &Connection, prefix: &str) -> rusqlite::Result<Vec<(String, Bytes)>> {
    let query = "SELECT name, value FROM notes WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1
                 AND (until IS NULL OR until > ?2) ORDER BY name";
    let mut query = sql.prepare_cached(query)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?.into()));
    query.query_map(params![prefix, Timestamp::now()], row)?.collect()
}
