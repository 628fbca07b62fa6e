use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::attempt_log::Logs;
use clawpool_backends::store::{LogLines, LogRules, Store, StoreError};
use clawpool_core::{config::Config, retry::Backoff};

/// What of a worker sees to the logs of its attempts.
pub(super) struct Logging(Option<Started>);

struct Started {
    logs: Arc<Logs>,
    writer: JoinHandle<()>,
    stop: DropGuard,
}

impl Logging {
    /// Nothing where no logs are kept.
    pub fn start(config: &Config, store: &Arc<dyn Store>) -> Self {
        let rules = config.attempts.log().map(|(most, keep)| LogRules { most, keep });
        Self(rules.map(|rules| {
            let logs = Logs::new(rules);
            let stop = CancellationToken::new();
            let writer = LogWriter { logs: Arc::clone(&logs), store: Arc::clone(store), stop: stop.clone() };
            Started { logs, writer: tokio::spawn(writer.run()), stop: stop.drop_guard() }
        }))
    }

    pub fn logs(&self) -> Option<Arc<Logs>> {
        self.0.as_ref().map(|started| Arc::clone(&started.logs))
    }

    /// Nothing runs any more: writes what is left.
    pub async fn finish(self) {
        if let Some(Started { writer, stop, .. }) = self.0 {
            drop(stop);
            let _ = writer.await;
        }
    }
}

/// Writes what attempts log, some of it at a time: no task waits for it.
struct LogWriter {
    logs: Arc<Logs>,
    store: Arc<dyn Store>,
    /// The worker leaves.
    stop: CancellationToken,
}

/// Lines are gathered for so long.
const GATHERING: Duration = Duration::from_millis(500);
/// Lines of a call without an answer for so long are written again, and may then be there twice.
const PATIENCE: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff::millis::<500, 10_000>();

impl LogWriter {
    /// Runs until it is told to stop. What the store does not take then is lost.
    async fn run(self) {
        let mut is_last = false;
        while !is_last {
            is_last = self.stop.run_until_cancelled(self.logs.news.notified()).await.is_none();
            if !is_last {
                is_last = self.stop.run_until_cancelled(time::sleep(GATHERING)).await.is_none();
            }
            loop {
                let (pieces, dropped) = self.logs.take();
                if dropped > 0 {
                    tracing::warn!(dropped, "lines of attempts were dropped: there were too many");
                }
                if pieces.is_empty() {
                    break;
                }
                self.write(&pieces).await;
            }
        }
    }

    async fn write(&self, pieces: &[LogLines]) {
        let mut waits = BACKOFF.waits();
        let mut is_told = false;
        while let Err(error) = self.append(pieces).await {
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(code = error.code(), %error, "lines of attempts wait for the store");
            }
            let wait = time::sleep(waits.after_failure());
            if !error.is_retryable() || self.stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    async fn append(&self, pieces: &[LogLines]) -> Result<(), StoreError> {
        let call = self.store.append_logs(self.logs.rules, pieces);
        let silence =
            || StoreError::Unavailable { store: "task", reason: format!("no answer within {PATIENCE:?}") };
        time::timeout(PATIENCE, call).await.unwrap_or_else(|_| Err(silence()))
    }
}
