//! The open HTTP connections, and what each is doing.
//!
//! Guarantees: there are never more than the system's limit of open files leaves room for, with a part of it
//! kept for workers and their pipes; when there is no room, the connection that has asked for nothing for
//! longest makes room, those that never showed anything of worth first; one that asks for nothing is closed
//! in time. Never does: cut a request that is being answered.

mod activity;
mod open_files;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

pub(super) use activity::Activity;
use open_files::{open_files, share};

/// When all are at work, how soon to look again for one that has become idle.
const LOOK: Duration = Duration::from_millis(100);
/// How often a full house is logged.
const QUIET: Duration = Duration::from_secs(60);

pub(super) struct Connections {
    most: usize,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    opened: AtomicU64,
    closed: Notify,
    last_warning: Mutex<Option<Instant>>,
}

impl Connections {
    /// At most `wanted` at a time, and no more than the limit of open files leaves room for.
    pub(super) fn new(wanted: u32) -> Arc<Self> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        Arc::new(Self {
            most: open_files().map_or(wanted, |files| wanted.min(share(files))).max(1),
            open: Mutex::default(),
            opened: AtomicU64::new(0),
            closed: Notify::new(),
            last_warning: Mutex::default(),
        })
    }

    /// How many are open.
    pub(super) fn count(&self) -> u64 {
        self.open().len().try_into().unwrap_or(u64::MAX)
    }

    /// How many may be open at a time.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// Waits until another connection may come, and takes its place.
    pub(super) async fn acquire(self: &Arc<Self>) -> Permit {
        loop {
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            if !self.make_room() {
                self.warn();
            }
            // Closed, or time to look again.
            let _ = timeout(LOOK, self.closed.notified()).await;
        }
    }

    fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut open = self.open();
        if open.len() >= self.most {
            return None;
        }
        let number = self.opened.fetch_add(1, Relaxed);
        let activity = Arc::new(Activity::new());
        open.insert(number, Arc::clone(&activity));
        Some(Permit { number, activity, connections: Arc::clone(self) })
    }

    /// Has the connection closed that has been idle for longest; false when none is idle.
    pub(super) fn make_room(&self) -> bool {
        let open = self.open();
        let idle = open
            .values()
            .filter_map(|activity| Some((activity.is_authenticated(), activity.idle_since()?, activity)));
        match idle.min_by_key(|(known, since, _)| (*known, *since)) {
            Some((_, _, longest)) => {
                longest.close();
                true
            }
            None => false,
        }
    }

    fn warn(&self) {
        let now = Instant::now();
        let mut last_warning = self.last_warning.lock().unwrap_or_else(PoisonError::into_inner);
        if last_warning.is_none_or(|last| now.duration_since(last) >= QUIET) {
            *last_warning = Some(now);
            let fix = "raise the limit of open files (LimitNOFILE, ulimit -n) and api.connections, or add \
                dispatchers";
            tracing::warn!(connections = self.most, "every connection is at work, so new ones wait: {fix}");
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets one connection stay open, until it is dropped.
pub(super) struct Permit {
    number: u64,
    pub(super) activity: Arc<Activity>,
    connections: Arc<Connections>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::{
        activity::{IDLE, UNAUTHENTICATED},
        *,
    };

    fn connections(most: usize) -> Arc<Connections> {
        Arc::new(Connections { most, ..Arc::into_inner(Connections::new(1)).unwrap() })
    }

    #[tokio::test(start_paused = true)]
    async fn unauthenticated_connections_are_closed_first_and_busy_ones_never() {
        let connections = connections(3);
        let [busy, known, unknown] =
            [connections.acquire().await, connections.acquire().await, connections.acquire().await];
        let _answering = busy.activity.begin();
        known.activity.mark_authenticated();
        sleep(Duration::from_secs(1)).await;
        drop(unknown.activity.begin());
        let newcomer = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.acquire().await }
        });
        unknown.activity.outdated().await;
        assert!(!newcomer.is_finished());
        drop(unknown);
        let newcomer = newcomer.await.unwrap();
        let _too = newcomer.activity.begin();
        assert!(connections.make_room(), "the known one is next");
        known.activity.outdated().await;
        drop(known);
        let third = connections.acquire().await;
        let _three = third.activity.begin();
        assert!(!connections.make_room(), "all are at work");
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_are_closed_in_time_and_the_busy_are_not() {
        let connections = connections(2);
        let start = Instant::now();
        let unknown = connections.acquire().await;
        unknown.activity.outdated().await;
        assert_eq!(start.elapsed(), UNAUTHENTICATED);
        // A delayed answer counts as idle, and once only, also when it is given up.
        let given_up = connections.acquire().await;
        let answering = given_up.activity.begin();
        assert!(timeout(Duration::from_secs(1), given_up.activity.wait_idle(IDLE)).await.is_err());
        assert!(given_up.activity.idle_since().is_none());
        drop(answering);
        assert!(given_up.activity.idle_since().is_some());
        drop(given_up);
        let known = connections.acquire().await;
        let answering = known.activity.begin();
        known.activity.mark_authenticated();
        assert!(timeout(Duration::from_secs(600), known.activity.outdated()).await.is_err());
        let start = Instant::now();
        drop(answering);
        known.activity.outdated().await;
        assert!((IDLE..IDLE + Duration::from_secs(1)).contains(&start.elapsed()));
    }
}
