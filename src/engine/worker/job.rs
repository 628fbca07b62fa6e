use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use clawpool_backends::{broker::Receipt, path::TakenTask, store::Claimed};
use clawpool_core::task::{Queue, Task, Timestamp, TraceContext};

/// One claimed attempt, from its claim to its settlement.
#[derive(Debug)]
pub(super) struct Job {
    pub task: Arc<Task>,
    pub claimed: Claimed,
    pub receipt: Receipt,
    pub crashes: u32,
    /// When the handler is told to stop.
    pub deadline: Instant,
    pub stop: CancellationToken,
    /// The span of this attempt, of a task with a trace.
    pub trace: Option<TraceContext>,
    /// When its handler began; none while it waits for a slot.
    pub began: Option<Timestamp>,
    begun: Instant,
    why: AtomicU8,
}

/// Why a handler was told to stop before its deadline. The first word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stop {
    /// The task was cancelled.
    Cancelled = 1,
    /// The claim passed to another worker; whatever the handler says will be refused.
    Lost = 2,
    /// The worker leaves.
    Leaving = 3,
}

impl Job {
    pub fn new(taken: TakenTask) -> Self {
        let begun = Instant::now();
        Self {
            deadline: begun + taken.task.timeout,
            task: taken.task,
            claimed: taken.claimed,
            receipt: taken.receipt,
            crashes: taken.crashes,
            stop: CancellationToken::new(),
            trace: None,
            began: None,
            begun,
            why: AtomicU8::new(0),
        }
    }

    /// How long it has run.
    pub fn ran(&self) -> Duration {
        self.begun.elapsed()
    }

    /// It starts now: its time counts from here.
    pub fn started(mut self) -> Arc<Self> {
        self.begun = Instant::now();
        self.began = Some(Timestamp::now());
        self.deadline = self.begun + self.task.timeout;
        Arc::new(self)
    }

    pub const fn queue(&self) -> Queue {
        self.claimed.queue
    }

    /// Tells the handler to stop.
    pub fn stop(&self, why: Stop) {
        let _ = self.why.compare_exchange(0, why as u8, Ordering::AcqRel, Ordering::Acquire);
        self.stop.cancel();
    }

    pub fn stopped(&self) -> Option<Stop> {
        [Stop::Cancelled, Stop::Lost, Stop::Leaving]
            .into_iter()
            .find(|why| *why as u8 == self.why.load(Ordering::Acquire))
    }
}
