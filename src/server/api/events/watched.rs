//! Tasks that streams are about.
//!
//! Guarantees: each task is looked at once for all its streams, and only so many at a time. Never does: look
//! at a task that no stream is about.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use super::frame::{event, now};
use crate::api::Api;
use clawpool_backends::store::Record;
use clawpool_core::task::TaskId;
use clawpool_engine::client::event::TaskEventView;

/// Tasks that one look is at; of more each has its turn.
const AT_ONCE: usize = 500;
/// Of these so many questions are on their way together.
const TOGETHER: usize = 32;

#[derive(Default)]
pub(super) struct WatchedTasks {
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    watched: BTreeMap<TaskId, (usize, watch::Sender<Seen>)>,
    last: Option<TaskId>,
}

/// How a task is, as streams have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) text: Bytes,
    item: String,
    pub(super) is_final: bool,
}

impl Seen {
    pub(super) fn of(record: &Record) -> Self {
        let item = serde_json::to_string(record).unwrap_or_default();
        let text = event("task", &TaskEventView { name: "task".to_owned(), at_ms: now(), item: record });
        Self { text, item, is_final: record.state.is_final() }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.item == other.item
    }
}

impl WatchedTasks {
    /// Hears of the task from now on.
    pub(super) fn watch(&self, id: TaskId, seen: &Seen) -> Watcher {
        let mut tasks = lock(&self.tasks);
        let fresh = || (0, watch::Sender::new(seen.clone()));
        let (streams, sender) = tasks.watched.entry(id).or_insert_with(fresh);
        *streams += 1;
        Watcher { id, tasks: Arc::clone(&self.tasks), seen: sender.subscribe() }
    }

    /// Tells what has changed.
    pub(super) async fn look(&self, api: &Api) {
        let due = lock(&self.tasks).due();
        let looks = stream::iter(due).map(|id| async move { (id, api.store.record(id).await) });
        let mut found = looks.buffer_unordered(TOGETHER);
        while let Some((id, record)) = found.next().await {
            let Ok(Some(record)) = record else { continue };
            let seen = Seen::of(&record);
            if let Some((_, sender)) = lock(&self.tasks).watched.get(&id) {
                sender.send_if_modified(|old| {
                    let is_news = !old.is_same(&seen);
                    if is_news {
                        *old = seen;
                    }
                    is_news
                });
            }
        }
    }
}

impl Tasks {
    /// Those whose turn it is.
    fn due(&mut self) -> Vec<TaskId> {
        let after = self.last.map_or(Unbounded, Excluded);
        let later = self.watched.range((after, Unbounded)).map(|(id, _)| *id);
        let all = later.chain(self.watched.keys().copied());
        let due: Vec<TaskId> = all.take(AT_ONCE.min(self.watched.len())).collect();
        self.last = due.last().copied();
        due
    }
}

fn lock(tasks: &Mutex<Tasks>) -> MutexGuard<'_, Tasks> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One stream's part.
pub(super) struct Watcher {
    id: TaskId,
    tasks: Arc<Mutex<Tasks>>,
    pub(super) seen: watch::Receiver<Seen>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut tasks = lock(&self.tasks);
        if let Some((streams, _)) = tasks.watched.get_mut(&self.id) {
            *streams -= 1;
            if *streams == 0 {
                tasks.watched.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_task_has_its_turn_and_is_forgotten_with_its_last_stream() {
        let tasks = WatchedTasks::default();
        let seen = Seen::default();
        let ids: BTreeSet<TaskId> = (0..AT_ONCE + 100).map(|_| TaskId::new()).collect();
        let watchers: Vec<Watcher> = ids.iter().chain(&ids).map(|id| tasks.watch(*id, &seen)).collect();
        let due = || lock(&tasks.tasks).due();
        let looked: BTreeSet<TaskId> = due().into_iter().chain(due()).collect();
        assert_eq!(looked, ids);
        assert_eq!(due().len(), AT_ONCE);
        drop(watchers);
        assert!(due().is_empty());
    }
}
