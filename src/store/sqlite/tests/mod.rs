//! The suite, and what only a file can do wrong.

mod database;
mod full;
mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{
    config::Synchronous,
    store::{Store, conformance::Fixture},
};

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
}

crate::store::conformance::suite!(open);
