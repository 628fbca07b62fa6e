//! What one connection is doing, and since when it asks for nothing.
//!
//! Guarantees: a connection that asks for nothing is outdated in time, one without a known token sooner.
//! Never does: call a connection idle while a request is being answered, unless the answer is being delayed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// How long a connection without a known token may take to send a request's head.
pub(super) const UNAUTHENTICATED: Duration = Duration::from_secs(10);
/// Clients keep connections for their next request; most keep them for a minute or so.
pub(super) const IDLE: Duration = Duration::from_secs(75);

/// What one connection is doing.
pub(in crate::api) struct Activity {
    born: Instant,
    /// Requests that are being answered.
    busy: AtomicU32,
    /// Milliseconds of its life when the last one was answered.
    idle_since: AtomicU64,
    /// It has made a request that was let in.
    authenticated: AtomicBool,
    close: Notify,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            born: Instant::now(),
            busy: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            authenticated: AtomicBool::new(false),
            close: Notify::new(),
        }
    }

    /// A request has come, and is being answered until the guard is dropped.
    pub(in crate::api) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Relaxed);
        Busy(Arc::clone(self))
    }

    /// Waits, and counts as idle meanwhile: a delayed answer holds no permit against others.
    pub(in crate::api) async fn wait_idle(&self, span: Duration) {
        self.end();
        // Also for a request that is given up meanwhile: its own guard counts it out once more.
        let _again = CountedIdle(self);
        sleep(span).await;
    }

    pub(in crate::api) fn mark_authenticated(&self) {
        self.authenticated.store(true, Relaxed);
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Relaxed)
    }

    fn end(&self) {
        let life = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_since.store(life, Relaxed);
        self.busy.fetch_sub(1, Relaxed);
    }

    pub(super) fn idle_since(&self) -> Option<Instant> {
        let idle = self.busy.load(Relaxed) == 0;
        idle.then(|| self.born + Duration::from_millis(self.idle_since.load(Relaxed)))
    }

    /// Makes it outdated now.
    pub(in crate::api) fn close(&self) {
        self.close.notify_one();
    }

    /// Returns when the connection should be closed: it was idle for too long, or its permit is needed.
    pub(in crate::api) async fn outdated(&self) {
        tokio::select! {
            () = self.idle_for_too_long() => {}
            () = self.close.notified() => {}
        }
    }

    async fn idle_for_too_long(&self) {
        loop {
            let most = if self.is_authenticated() { IDLE } else { UNAUTHENTICATED };
            match self.idle_since().map(|since| since + most) {
                Some(end) if end <= Instant::now() => return,
                Some(end) => sleep_until(end).await,
                None => sleep(UNAUTHENTICATED).await,
            }
        }
    }
}

/// A request that is being answered.
pub(in crate::api) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A request that counts as idle until this is dropped.
struct CountedIdle<'a>(&'a Activity);

impl Drop for CountedIdle<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_add(1, Relaxed);
    }
}
