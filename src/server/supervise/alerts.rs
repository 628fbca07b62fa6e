//! The supervisor's alerts, crash reports and restarts, on their way into the journal.

use std::{io, sync::PoisonError, time::Duration};

use tokio::time::{Instant, timeout};

use super::supervisor::Supervisor;
use clawpool_backends::store::{Entry, Topic};
use clawpool_core::task::{ProcessId, Timestamp};
use clawpool_engine::alert::{Alert, Event, Level};

/// Starts the name of the note by which an operator asks for a restart of what is down in a pool.
pub const RESTART: &str = "workers/restart/";

/// People are told of the same fault this often at most: all workers of a pool may fail for the same reason.
const QUIET: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(5);

impl Supervisor {
    pub(super) async fn cannot_start(&self, error: &io::Error) {
        let spec = self.pool();
        let program = spec.program.display();
        let text = format!("{program} cannot be started ({error}): check the pool's command");
        self.alert(Event::CannotStart, &text).await;
    }

    pub(super) async fn short_of(&self, error: &io::Error) {
        let text = format!("no worker can be started at this moment ({error}); trying again every second");
        self.alert(Event::Shortage, &text).await;
    }

    /// Logs the event. Writes an alert too, unless the same event had one a moment ago.
    pub(super) async fn alert(&self, event: Event, text: &str) {
        let spec = self.pool();
        let pool = &spec.name;
        let code = event.code();
        match event.level() {
            Level::Info => tracing::info!(pool, code, "{text}"),
            Level::Warning => tracing::warn!(pool, code, "{text}"),
            Level::Error | Level::Critical => tracing::error!(pool, code, "{text}"),
        }
        if event.level() < Level::Error || self.is_news(event) {
            self.journal(Alert::new(event, text).entry(pool)).await;
        }
    }

    fn is_news(&self, event: Event) -> bool {
        let now = Instant::now();
        let mut told = self.alerted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.get(&event).is_none_or(|last| now.duration_since(*last) >= QUIET);
        if is_news {
            told.insert(event, now);
        }
        is_news
    }

    /// Another worker has taken the place of this one. Does not wait for the store.
    pub(super) fn note_restart(&self, before: ProcessId) {
        let body = serde_json::json!({ "after": before });
        let subject = self.pool().name.clone();
        self.outbox.post(Entry { topic: Topic::Restart, at: Timestamp::now(), subject, body });
    }

    pub(super) async fn journal(&self, entry: Entry) {
        self.outbox.post(entry);
        // A store that takes no writes now does not hold this up: the outbox writes the entry later.
        let _ = timeout(PATIENCE, self.outbox.tried()).await;
    }
}
