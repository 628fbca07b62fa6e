//! The suite, and what only a file can do wrong.

mod database;
mod full;
mod listing;
mod memory;
mod waits;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::{
    Store,
    conformance::{Fixture, Garbled},
};
use clawpool_core::config::Synchronous;

/// A file of its own, in a folder that goes with the case.
struct File {
    config: Config,
    _folder: TempDir,
}

async fn open(mut config: Config) -> File {
    let folder = TempDir::new().unwrap();
    config.embedded.data = folder.path().join("made/when/missing");
    config.embedded.synchronous = Synchronous::Normal;
    File { config, _folder: folder }
}

impl File {
    async fn database(&self) -> Arc<Database> {
        Database::open(&self.config).await.unwrap()
    }

    fn path(&self) -> std::path::PathBuf {
        self.config.embedded.data.join("clawpool.db")
    }
}

#[async_trait]
impl Fixture for File {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::on(self.database().await, &self.config))
    }

    async fn garble(&self, what: Garbled) {
        let sql = Connection::open(self.path()).unwrap();
        sql.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        let done = match what {
            Garbled::Record(id) => {
                sql.execute("UPDATE tasks SET state = 77, owner = x'0102' WHERE id = ?1", [id])
            }
            Garbled::Entry(id) => sql.execute("UPDATE schedule SET priority = 77 WHERE id = ?1", [id]),
            Garbled::DeadLetter(id) => sql.execute("UPDATE dead SET failure = x'c1' WHERE id = ?1", [id]),
            Garbled::Journal(topic) => {
                let insert = "INSERT INTO journal (topic, subject, entry) VALUES (?1, 'voice', x'c1')";
                sql.execute(insert, [topic.name()])
            }
            Garbled::Heartbeat(id) => sql.execute("UPDATE workers SET beat = x'c1' WHERE id = ?1", [id]),
        };
        assert_eq!(done.unwrap(), 1);
    }
}

crate::store::conformance::suite!(open);
