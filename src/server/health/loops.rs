//! Whether the loops of this process turn.
//!
//! Guarantees: a loop that is not woken for longer than it should be is seen, whatever it waits for, and
//! without a word in the loop itself. Never does: wake one, or stop one.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures::task::AtomicWaker;
use tokio::time::Instant;

/// No loop sleeps for so long; those that may have a limit of their own.
pub(crate) const LATE: Duration = Duration::from_secs(30);

/// The loops that run now, by name.
#[derive(Clone, Default)]
pub(crate) struct Loops(Arc<Mutex<BTreeMap<&'static str, Arc<Turns>>>>);

/// How many there are, and which of them stand still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoopsLook {
    pub(crate) running: usize,
    pub(crate) stuck: Vec<&'static str>,
}

impl Loops {
    /// Watches `future` while it is polled. It is stuck when nothing has woken it for longer than `late`.
    pub(crate) fn watch<F: Future>(&self, name: &'static str, late: Duration, future: F) -> Watched<F> {
        let turns = Arc::new(Turns {
            parent: AtomicWaker::new(),
            is_woken: AtomicBool::new(true),
            last: Mutex::new(Instant::now()),
            late,
        });
        self.lock().insert(name, Arc::clone(&turns));
        let waker = Waker::from(Arc::clone(&turns));
        Watched { future: Box::pin(future), turns, waker, name, loops: self.clone() }
    }

    pub(crate) fn look(&self) -> LoopsLook {
        let loops = self.lock();
        let stuck = loops.iter().filter(|(_, turns)| turns.last().elapsed() > turns.late);
        LoopsLook { running: loops.len(), stuck: stuck.map(|(name, _)| *name).collect() }
    }

    /// The list is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Turns>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Turns {
    parent: AtomicWaker,
    is_woken: AtomicBool,
    last: Mutex<Instant>,
    late: Duration,
}

impl Turns {
    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Turns {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.parent.wake();
    }
}

/// A loop that is watched. Others that share its task do not turn it: it is polled when it is woken itself.
pub(crate) struct Watched<F> {
    future: Pin<Box<F>>,
    turns: Arc<Turns>,
    waker: Waker,
    name: &'static str,
    loops: Loops,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.turns.parent.register(context.waker());
        if !self.turns.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        *self.turns.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let this = &mut *self;
        this.future.as_mut().poll(&mut Context::from_waker(&this.waker))
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        let mut loops = self.loops.lock();
        if loops.get(self.name).is_some_and(|turns| Arc::ptr_eq(turns, &self.turns)) {
            loops.remove(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    async fn forever(pause: Duration) {
        loop {
            sleep(pause).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_for_what_does_not_come_is_seen_beside_one_that_turns() {
        let loops = Loops::default();
        let second = Duration::from_secs(1);
        let turning = loops.watch("promoter", LATE, forever(second));
        let stuck = loops.watch("reaper", LATE, std::future::pending::<()>());
        let both = async { tokio::join!(turning, stuck) };
        tokio::pin!(both);
        assert!(timeout(LATE, &mut both).await.is_err());
        assert_eq!(loops.look(), LoopsLook { running: 2, stuck: Vec::new() });
        assert!(timeout(second, &mut both).await.is_err());
        assert_eq!(loops.look(), LoopsLook { running: 2, stuck: vec!["reaper"] });
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_ended_is_not_counted() {
        let loops = Loops::default();
        assert_eq!(loops.watch("collector", LATE, async { 7 }).await, 7);
        assert_eq!(loops.look().running, 0);
        let first = loops.watch("maintenance", LATE, std::future::pending::<()>());
        let second = loops.watch("maintenance", LATE, std::future::pending::<()>());
        drop(first);
        assert_eq!(loops.look().running, 1, "the second one has its name");
        drop(second);
        assert_eq!(loops.look().running, 0);
    }
}
