use std::{path::PathBuf, time::Duration};

use tokio::sync::OnceCell;

use super::{finding::Finding, pool::Pool};
use clawpool_core::config::{Config, Loaded};
use clawpool_engine::client::Client;

/// What the checks look at.
pub struct Site {
    pub loaded: Loaded,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Asks the dispatcher.
    pub client: Client,
    /// Where that answers.
    pub url: String,
    /// A server may take so long to answer.
    pub patience: Duration,
    /// Asked for once, by the first check that needs it.
    pool: OnceCell<Result<Pool, String>>,
}

impl Site {
    pub fn new(
        loaded: Loaded,
        file: Option<PathBuf>,
        client: Client,
        url: String,
        patience: Duration,
    ) -> Self {
        Self { loaded, file, client, url, patience, pool: OnceCell::new() }
    }

    /// The configuration, or why what depends on it is not looked at.
    pub(super) fn config(&self) -> Result<&Config, Finding> {
        self.loaded.config.as_ref().map_err(|_| Finding::skipped("the configuration is wrong"))
    }

    /// Queues, workers, dead letters and alerts, or why they cannot be looked at.
    pub(super) async fn pool(&self) -> Result<&Pool, Finding> {
        let pool = self.pool.get_or_init(|| Pool::read(self)).await;
        pool.as_ref().map_err(Finding::skipped)
    }
}
