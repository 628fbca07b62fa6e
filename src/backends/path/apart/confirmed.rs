use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use clawpool_core::task::TaskId;

/// The ids of the latest tasks whose messages this process saw confirmed, and when. Only saves work:
/// forgetting one costs a surplus message when the task is enqueued again.
#[derive(Default)]
pub(super) struct Confirmed(Mutex<Latest>);

#[derive(Default)]
struct Latest {
    known: HashMap<TaskId, Instant>,
    order: VecDeque<TaskId>,
}

impl Confirmed {
    const KEPT: usize = 4096;
    /// A queue may be purged at any time: a task that is repeated later than this has its message sent once
    /// more.
    pub(super) const FRESH: Duration = Duration::from_secs(10);

    pub(super) fn remember(&self, ids: impl Iterator<Item = TaskId>) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for id in ids {
            if latest.known.insert(id, now).is_some() {
                continue;
            }
            latest.order.push_back(id);
            if latest.order.len() > Self::KEPT
                && let Some(oldest) = latest.order.pop_front()
            {
                latest.known.remove(&oldest);
            }
        }
    }

    /// Whether the message was confirmed at some time.
    pub(super) fn contains(&self, id: TaskId) -> bool {
        self.since(id).is_some()
    }

    /// Whether it was confirmed a short time ago.
    pub(super) fn is_fresh(&self, id: TaskId) -> bool {
        self.since(id).is_some_and(|since| since.elapsed() < Self::FRESH)
    }

    fn since(&self, id: TaskId) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_confirmation_is_fresh_for_a_short_time_and_again_when_it_is_repeated() {
        let confirmed = Confirmed::default();
        let id = TaskId::new();
        confirmed.remember([id].into_iter());
        assert!(confirmed.is_fresh(id) && !confirmed.is_fresh(TaskId::new()));
        tokio::time::advance(Confirmed::FRESH).await;
        assert!(!confirmed.is_fresh(id) && confirmed.contains(id));
        confirmed.remember([id].into_iter());
        assert!(confirmed.is_fresh(id));
    }
}
