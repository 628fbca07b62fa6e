//! Crashes, restarts and alerts are in the journal, which keeps the latest ones: each entry is counted once,
//! when it is first seen.

use std::collections::{BTreeMap, BTreeSet};

use super::Page;
use crate::api::{Api, error::ApiError};
use clawpool_backends::store::{Entry, JournalStore, StoreError, Topic};
use clawpool_core::task::Timestamp;
use clawpool_engine::alert::{Alert, Event};

/// Entries of one look; there are seldom more.
const PAGE: usize = 50;

pub(super) struct JournalTotals {
    crashes: Tally,
    restarts: Tally,
    alerts: Tally,
}

impl JournalTotals {
    pub(super) fn since(began: Timestamp) -> Self {
        let tally = |topic| Tally { topic, began, last: None, counts: BTreeMap::new() };
        Self { crashes: tally(Topic::Crash), restarts: tally(Topic::Restart), alerts: tally(Topic::Alert) }
    }
}

/// Entries of one topic since some moment, by what they are about.
struct Tally {
    topic: Topic,
    began: Timestamp,
    /// The latest one that was counted.
    last: Option<Entry>,
    counts: BTreeMap<String, u64>,
}

impl Tally {
    async fn read(
        &mut self,
        journal: &dyn JournalStore,
        about: impl Fn(&Entry) -> String,
    ) -> Result<(), StoreError> {
        let mut news = Vec::new();
        let mut cursor = None;
        loop {
            let page = journal.journal(self.topic, None, cursor.as_deref(), PAGE).await?;
            let read = page.items.len();
            news.extend(page.items.into_iter().take_while(|entry| self.is_news(entry)));
            cursor = page.next;
            if cursor.is_none() || news.len() % PAGE != 0 || read < PAGE {
                break;
            }
        }
        for entry in &news {
            *self.counts.entry(about(entry)).or_default() += 1;
        }
        self.last = news.into_iter().next().or_else(|| self.last.take());
        Ok(())
    }

    fn is_news(&self, entry: &Entry) -> bool {
        match &self.last {
            Some(last) => last != entry,
            None => entry.at >= self.began,
        }
    }

    fn count(&self, about: &str) -> u64 {
        self.counts.get(about).copied().unwrap_or_default()
    }
}

pub(super) async fn show(api: &Api, pools: BTreeSet<&str>, page: &mut Page) -> Result<(), ApiError> {
    let mut totals = api.totals.journal.lock().await;
    let JournalTotals { crashes, restarts, alerts } = &mut *totals;
    let pool = |entry: &Entry| entry.subject.clone();
    crashes.read(&*api.store, pool).await?;
    restarts.read(&*api.store, pool).await?;
    alerts.read(&*api.store, event_of).await?;
    let mut pools = pools;
    pools.extend(crashes.counts.keys().chain(restarts.counts.keys()).map(String::as_str));
    for pool in pools {
        page.count("clawpool_worker_crashes_total", &[pool], crashes.count(pool));
        page.count("clawpool_worker_restarts_total", &[pool], restarts.count(pool));
    }
    for event in Event::ALL.map(name_of) {
        page.count("clawpool_alerts_total", &[&event], alerts.count(&event));
    }
    Ok(())
}

/// What a later version has written differently is counted under no event.
fn event_of(entry: &Entry) -> String {
    serde_json::from_value(entry.body.clone()).map(|alert: Alert| name_of(alert.event)).unwrap_or_default()
}

/// As the journal and the API call it.
pub(super) fn name_of(event: Event) -> String {
    serde_json::to_value(event).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
