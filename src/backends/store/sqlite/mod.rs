//! The store in one SQLite file, shared by all processes of one machine (the embedded profile).
//!
//! Guarantees: each method is one transaction, durable as `embedded.synchronous` says when it returns;
//! processes wake one another through [`doorbell`]; the file's size follows what is remembered, and no
//! statement's cost follows the number of tasks (listings apart). Never does: hold a transaction open between
//! two calls, or poll.

pub(crate) mod admission;
mod candidates;
pub(crate) mod claim;
mod control;
pub(crate) mod dead;
mod entries;
mod error;
mod figures;
pub(crate) mod forget;
mod host_figures;
mod journal;
pub(crate) mod leaders;
mod lease_end;
mod letters;
pub(crate) mod life;
mod listing;
mod logs;
mod moving;
mod notes;
mod orders;
mod processes;
mod records;
pub(crate) mod schedule;
pub(crate) mod settle;
pub(crate) mod tally;
mod tasks;
#[cfg(test)]
mod tests;
mod unreadable;
mod withdrawal;
mod workers;

use std::{sync::Arc, time::Duration};

use self::candidates::Candidates;
use super::StoreError;
use crate::backend::sqlite::Database;
use clawpool_core::config::Config;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_cursor(text: &str) {
    let _ = (records::cursor(text), records::id_cursor(text), listing::Place::parse(text));
}

pub struct SqliteStore {
    database: Arc<Database>,
    pub(crate) rules: Rules,
    candidates: Candidates,
}

impl SqliteStore {
    /// Opens the configured file, making it when missing.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        Ok(Self::on(Database::shared(config).await?, config))
    }

    pub(crate) fn on(database: Arc<Database>, config: &Config) -> Self {
        let rules = Rules {
            heartbeat: config.worker.heartbeat,
            crashes: config.worker.crashes,
            dedupe: config.results.dedupe,
            keep_dead: config.results.dead,
        };
        let candidates = Candidates::beside(database.path());
        Self { database, rules, candidates }
    }
}

/// What the configuration says of the store's own decisions.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    heartbeat: Duration,
    /// Of workers, until their task is poison.
    crashes: u32,
    dedupe: Duration,
    keep_dead: Duration,
}

impl Rules {
    /// Silence of a worker that allows a takeover.
    fn quiet(&self) -> Duration {
        self.heartbeat.mul_f64(1.5)
    }

    /// How long a finished task is kept that is wanted for `keep`.
    fn remember(&self, keep: Duration) -> Duration {
        keep.max(self.dedupe)
    }
}
