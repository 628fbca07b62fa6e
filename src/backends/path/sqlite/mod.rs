//! The path in one SQLite file, where queue and record lie together: each step of a task is one transaction.
//!
//! Guarantees: record and message change together, so a crash leaves neither without the other; a queue that
//! is full refuses before anything is written; the record of a running task says who has its message; who
//! waits for tasks is woken, and does not poll. Never does: fetch a message that it does not claim. What is
//! rare (a task that is known already) goes the way of [`Apart`].

mod finish;
mod offer;
mod promote;
mod recovery;
mod source;
mod take;

use std::sync::Arc;

use async_trait::async_trait;

use self::source::SqliteSource;
use super::{Apart, Attempt, Offered, Path, PathError, Promoted, Reclaim, Source, Taker};
use crate::{
    backend::sqlite::{Database, DatabaseError, Write},
    broker::{Broker, sqlite::SqliteBroker},
    store::{Admission, Claimed, Fence, StoreError, sqlite::SqliteStore},
};
use clawpool_core::{config::Config, task::ProcessId};

/// Broker and store in the configured file, as one.
#[derive(Clone)]
pub struct SqlitePath {
    database: Arc<Database>,
    broker: Arc<SqliteBroker>,
    store: Arc<SqliteStore>,
    apart: Apart,
}

impl SqlitePath {
    /// Opens the configured file, making it when missing.
    pub async fn open(config: &Config) -> Result<Self, PathError> {
        Ok(Self::on(Database::shared(config).await?, config))
    }

    pub(crate) fn on(database: Arc<Database>, config: &Config) -> Self {
        let broker = Arc::new(SqliteBroker::on(Arc::clone(&database), config));
        let store = Arc::new(SqliteStore::on(Arc::clone(&database), config));
        let apart = Apart::new(broker.clone(), store.clone());
        Self { database, broker, store, apart }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PathError> {
        Ok(self.database.write(work).await?)
    }
}

#[async_trait]
impl Reclaim for SqlitePath {
    /// What was finished is off its queue already.
    async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError> {
        Ok(self.broker.reclaim(worker).await?)
    }
}

#[async_trait]
impl Path for SqlitePath {
    async fn offer(&self, tasks: &[Admission]) -> Vec<Offered> {
        self.enqueue(tasks).await
    }

    async fn source(&self, taker: Taker) -> Box<dyn Source> {
        Box::new(SqliteSource::new(self.clone(), taker))
    }

    async fn finish(&self, _: ProcessId, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        self.settle(attempts).await
    }

    async fn disown(&self, worker: ProcessId, claims: &[Claimed]) -> Result<Vec<bool>, PathError> {
        self.give_up(worker, claims).await
    }

    async fn reconcile(&self, worker: ProcessId) -> Result<u64, PathError> {
        self.return_lost(worker).await
    }

    async fn promote(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        self.promote_due(fence, limit).await
    }
}

impl From<DatabaseError> for PathError {
    fn from(error: DatabaseError) -> Self {
        StoreError::from(error).into()
    }
}
