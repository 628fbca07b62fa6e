//! A table in WAL mode that flushes at each commit: inserts of 500, claims of 500, deletions of 500 a
//! transaction.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};
use rusqlite::{Connection, params};

use super::{BODY, Took};
use crate::site::Site;

const BATCH: usize = 500;

pub async fn run(site: &Site, tasks: usize) -> Result<Took> {
    let folder = tempfile::TempDir::new_in(site.folder())?;
    tokio::task::spawn_blocking(move || work(&folder.path().join("ceiling.db"), tasks)).await?
}

fn work(path: &Path, tasks: usize) -> Result<Took> {
    let mut sql = Connection::open(path)?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    // As Clawpool's own file has it.
    sql.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    sql.execute_batch(
        "CREATE TABLE messages (number INTEGER PRIMARY KEY, held INTEGER NOT NULL DEFAULT 0, body BLOB NOT \
        NULL);
         CREATE INDEX ready ON messages (number) WHERE held = 0;",
    )?;
    let started = Instant::now();
    put(&mut sql, tasks)?;
    let put = started.elapsed();
    let started = Instant::now();
    let got = get(&mut sql)?;
    ensure!(got == tasks, "SQLite gave {got} of {tasks} bodies");
    Ok(Took { put, got: started.elapsed() })
}

fn put(sql: &mut Connection, tasks: usize) -> Result<()> {
    let mut left = tasks;
    while left > 0 {
        let transaction = sql.transaction()?;
        for _ in 0..left.min(BATCH) {
            transaction.prepare_cached("INSERT INTO messages (body) VALUES (?1)")?.execute([[b'x'; BODY]])?;
        }
        transaction.commit()?;
        left -= left.min(BATCH);
    }
    Ok(())
}

fn get(sql: &mut Connection) -> Result<usize> {
    let claim = "UPDATE messages SET held = 1 WHERE number IN
                 (SELECT number FROM messages WHERE held = 0 ORDER BY number LIMIT ?1)
                 RETURNING number, body";
    let mut count = 0;
    loop {
        let transaction = sql.transaction()?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let claimed: Vec<(i64, Vec<u8>)> =
            transaction.prepare_cached(claim)?.query_map([BATCH], row)?.collect::<rusqlite::Result<_>>()?;
        transaction.commit()?;
        if claimed.is_empty() {
            return Ok(count);
        }
        let transaction = sql.transaction()?;
        for (number, _) in &claimed {
            transaction.prepare_cached("DELETE FROM messages WHERE number = ?1")?.execute(params![number])?;
        }
        transaction.commit()?;
        count += claimed.len();
    }
}
