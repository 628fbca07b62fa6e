//! What the supervisor writes into the journal.

use std::{io, sync::PoisonError, time::Duration};

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::children::Children;
use crate::{
    store::{Entry, Topic},
    task::Timestamp,
};

/// Starts the name of the note by which an operator asks for a restart of what is down in a pool.
pub const RESTART: &str = "workers/restart/";

/// People are told of the same event this often at most: all workers of a pool may fail for the same reason.
const QUIET: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(5);

impl Children {
    pub(super) async fn cannot_start(&self, error: &io::Error) {
        let program = self.pool.program.display();
        self.alert("cannot_start", &format!("{program} cannot be started ({error}): check the pool's command")).await;
    }

    /// Logs, and tells people, unless they were told a moment ago.
    pub(super) async fn alert(&self, event: &'static str, text: &str) {
        tracing::error!(pool = self.pool.name, event, "{text}");
        let now = Instant::now();
        let is_new = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = told.get(event).is_none_or(|last| now.duration_since(*last) >= QUIET);
            if is_new {
                told.insert(event, now);
            }
            is_new
        };
        if is_new {
            self.write_alert(event, text).await;
        }
    }

    /// The same each time, for what is no fault.
    pub(super) async fn notice(&self, event: &'static str, text: &str) {
        tracing::info!(pool = self.pool.name, event, "{text}");
        self.write_alert(event, text).await;
    }

    async fn write_alert(&self, event: &str, text: &str) {
        let body = json!({ "event": event, "text": text });
        self.journal(Entry { topic: Topic::Alert, at: Timestamp::now(), subject: self.pool.name.clone(), body }).await;
    }

    pub(super) async fn journal(&self, entry: Entry) {
        let topic = entry.topic.name();
        match timeout(PATIENCE, self.store.append(None, &[entry])).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(topic, code = error.code(), %error, "the journal lacks an entry"),
            Err(_) => tracing::warn!(topic, "the journal lacks an entry: no answer within {PATIENCE:?}"),
        }
    }
}
