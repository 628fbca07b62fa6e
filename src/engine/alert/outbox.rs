//! Entries on their way to the journal.
//!
//! Guarantees: they are written in order, as soon as the store takes them, however long it takes none. Never
//! does: make the caller wait, or keep more than a thousand of them.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use clawpool_backends::store::{Entry, JournalStore};

/// Of more than these the oldest go: a store that is away for days must not cost memory without end.
const MOST: usize = 1000;
/// For one try, and between two.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

/// The entries that wait, for one writer and any number of posters.
#[derive(Default)]
pub struct Outbox {
    waiting: Mutex<VecDeque<Entry>>,
    posted: Notify,
    tried: Notify,
}

impl Outbox {
    /// Adds an entry. Returns at once; beyond a thousand the oldest is dropped, with a warning in the
    /// log.
    pub fn post(&self, entry: Entry) {
        let mut waiting = self.lock();
        if waiting.len() == MOST
            && let Some(Entry { topic, subject, .. }) = waiting.pop_front()
        {
            tracing::warn!(
                topic = topic.name(),
                subject,
                "the journal lacks an entry: the store has taken none for long"
            );
        }
        waiting.push_back(entry);
        self.posted.notify_one();
    }

    /// Waits until everything is written, or a try has failed.
    pub async fn tried(&self) {
        let tried = self.tried.notified();
        if !self.lock().is_empty() {
            tried.await;
        }
    }

    /// Writes what is posted, for as long as the future is polled.
    pub async fn deliver<S: JournalStore + ?Sized>(&self, store: &S) -> Infallible {
        loop {
            self.empty(store).await;
            self.posted.notified().await;
        }
    }

    /// Returns once everything is written.
    pub async fn empty<S: JournalStore + ?Sized>(&self, store: &S) {
        let mut told = false;
        loop {
            let next: Vec<Entry> = self.lock().iter().take(100).cloned().collect();
            if next.is_empty() {
                self.tried.notify_waiters();
                return;
            }
            let trouble = match timeout(PATIENCE, store.append(None, &next)).await {
                Ok(Ok(())) => {
                    // What has been dropped for want of room meanwhile is no loss: it was the oldest.
                    self.lock().retain(|entry| !next.contains(entry));
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {PATIENCE:?}"),
            };
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(entries = next.len(), "the journal's entries wait for the store: {trouble}");
            }
            self.tried.notify_waiters();
            sleep(PAUSE).await;
        }
    }

    /// The list is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
