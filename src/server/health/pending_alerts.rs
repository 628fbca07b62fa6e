use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clawpool_backends::store::{Entry, Store, StoreError, Topic};
use clawpool_engine::alert::{Alert, Event, Level};

/// Kept while the store takes none; the oldest go first.
const MOST: usize = 200;

/// Several processes see the same server fail, and it may fail again and again: one alert in this time.
const QUIET: Duration = Duration::from_secs(60);

/// Alerts on their way into the journal. What the store does not take stays here and is tried again.
pub struct PendingAlerts {
    store: Arc<dyn Store>,
    unsaved: Mutex<VecDeque<Entry>>,
    saving: tokio::sync::Mutex<()>,
}

impl PendingAlerts {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, unsaved: Mutex::default(), saving: tokio::sync::Mutex::default() }
    }

    /// Logs it, and keeps it for [`Self::save`].
    pub fn add(&self, alert: &Alert, subject: &str) {
        let code = alert.event.code();
        let text = &alert.text;
        match alert.event.level() {
            Level::Info => tracing::info!(subject, code, "{text}"),
            Level::Warning => tracing::warn!(subject, code, "{text}"),
            Level::Error | Level::Critical => tracing::error!(subject, code, "{text}"),
        }
        let mut unsaved = self.lock();
        unsaved.push_back(alert.entry(subject));
        if unsaved.len() > MOST {
            unsaved.pop_front();
        }
    }

    /// Latest first.
    pub fn unsaved(&self) -> Vec<Entry> {
        self.lock().iter().rev().cloned().collect()
    }

    /// Writes what is unsaved, as far as the store takes it.
    pub async fn save(&self) {
        let _one = self.saving.lock().await;
        loop {
            let Some(entry) = self.lock().front().cloned() else { return };
            if let Err(error) = self.write(&entry).await {
                tracing::debug!(code = error.code(), %error, "alerts wait for the store");
                return;
            }
            self.lock().pop_front_if(|first| *first == entry);
        }
    }

    async fn write(&self, entry: &Entry) -> Result<(), StoreError> {
        if self.was_written(entry).await? {
            return Ok(());
        }
        self.store.append(None, std::slice::from_ref(entry)).await
    }

    async fn was_written(&self, entry: &Entry) -> Result<bool, StoreError> {
        let latest = self.store.journal(Topic::Alert, Some(&entry.subject), None, 20).await?;
        let lately = |told: &Entry| entry.at.since(told.at) < QUIET;
        Ok(latest.items.iter().any(|told| lately(told) && is_same(told, entry)))
    }

    /// The list is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two alerts say the same. The texts of lasting troubles vary.
fn is_same(told: &Entry, news: &Entry) -> bool {
    let read = |entry: &Entry| serde_json::from_value::<Alert>(entry.body.clone()).ok();
    match (read(told), read(news)) {
        (Some(told), Some(news)) if told.event == news.event => varies(news.event) || told.text == news.text,
        _ => false,
    }
}

const fn varies(event: Event) -> bool {
    use Event::{BrokerTrouble, LoopStuck, ServiceDown, ServiceSlow, Stalled, StoreTrouble};
    matches!(event, StoreTrouble | BrokerTrouble | Stalled | ServiceDown | ServiceSlow | LoopStuck)
}
