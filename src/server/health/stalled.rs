//! Which queues are not consumed although they could be. Pure: who looks brings what there is.
//!
//! Guarantees: a queue is stalled when at every look of a whole time tasks were ready, a worker had a free
//! slot for them, and nothing moved. Never does: take a paused queue for one, or one without a worker; say
//! anything of a time in which nobody could look.

use std::{collections::HashMap, fmt, time::Duration};

use tokio::time::Instant;

use clawpool_core::task::{Queue, Timestamp};

/// What one look has shown of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueLook {
    pub(super) queue: Queue,
    /// Tasks that wait.
    pub(super) ready: u64,
    /// When the first of them was enqueued, where the broker can tell.
    pub(super) head: Option<Timestamp>,
    /// It is not paused, and a worker that serves it has a free slot for its tasks.
    pub(super) is_open: bool,
    /// Tasks of it that run.
    pub(super) running: u64,
    /// Attempts at its tasks that have ended since the store was made.
    pub(super) ended: u64,
}

impl QueueLook {
    /// Whether something was started since the look before, as far as can be seen.
    fn moved_since(&self, before: &Self) -> bool {
        let seen = |look: &Self| (look.head, look.running, look.ended);
        seen(self) != seen(before) || self.ready < before.ready
    }
}

/// A queue of which nothing starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stalled {
    pub(super) queue: Queue,
    pub(super) ready: u64,
    pub(super) lasted: Duration,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, ready, lasted } = self;
        let seconds = lasted.as_secs();
        write!(
            f,
            "{ready} tasks are ready on {queue} and workers have free slots for them, and none has started \
             for {seconds} s"
        )
    }
}

/// Compares each look with the one before.
#[derive(Default)]
pub(super) struct Consumption {
    /// Since when nothing moved, of queues that could be consumed.
    still: HashMap<Queue, (Instant, QueueLook)>,
}

impl Consumption {
    /// Nobody could look: what was seen before proves nothing.
    pub(super) fn interrupt(&mut self) {
        self.still.clear();
    }

    /// Those of which nothing has started for as long as `limit` says of them.
    pub(super) fn look(
        &mut self,
        looks: &[QueueLook],
        now: Instant,
        limit: impl Fn(Queue) -> Option<Duration>,
    ) -> Vec<Stalled> {
        let before = std::mem::take(&mut self.still);
        for look in looks.iter().filter(|look| look.is_open && look.ready > 0) {
            let since = match before.get(&look.queue) {
                Some((since, before)) if !look.moved_since(before) => *since,
                _ => now,
            };
            self.still.insert(look.queue, (since, *look));
        }
        let stalled = self.still.values().filter_map(|(since, look)| {
            let lasted = now.duration_since(*since);
            let is_over = limit(look.queue).is_some_and(|limit| lasted >= limit);
            is_over.then_some(Stalled { queue: look.queue, ready: look.ready, lasted })
        });
        let mut stalled: Vec<Stalled> = stalled.collect();
        stalled.sort_unstable_by_key(|stalled| stalled.queue);
        stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    const LOOK: QueueLook = QueueLook {
        queue: Queue::P4,
        ready: 3,
        head: Some(Timestamp::from_millis(7)),
        is_open: true,
        running: 2,
        ended: 100,
    };

    /// What looks five seconds apart come to, a minute long; the one at `at` is another.
    fn stalls_beside(at: usize, other: QueueLook) -> Vec<usize> {
        let start = Instant::now();
        let mut consumption = Consumption::default();
        let stalled_at = |index: &usize| {
            let look = if *index == at { other } else { LOOK };
            let now = start + Duration::from_secs(5) * u32::try_from(*index).unwrap();
            !consumption.look(&[look], now, |_| Some(LIMIT)).is_empty()
        };
        (0..13).filter(stalled_at).collect()
    }

    #[test]
    fn a_queue_of_which_nothing_starts_is_stalled_after_its_limit() {
        assert_eq!(stalls_beside(99, LOOK), [6, 7, 8, 9, 10, 11, 12]);
        let more = QueueLook { ready: 4, ..LOOK };
        assert_eq!(stalls_beside(12, more), [6, 7, 8, 9, 10, 11, 12], "what comes in starts nothing");
    }

    #[test]
    fn every_sign_of_a_start_begins_the_time_anew() {
        let signs = [
            QueueLook { head: Some(Timestamp::from_millis(8)), ..LOOK },
            QueueLook { running: 3, ..LOOK },
            QueueLook { ended: 101, ..LOOK },
            QueueLook { ready: 2, ..LOOK },
            // Paused, or no slot is free; and an empty queue.
            QueueLook { is_open: false, ..LOOK },
            QueueLook { ready: 0, ..LOOK },
        ];
        for sign in signs {
            let stalls = stalls_beside(5, sign);
            assert!(stalls.iter().all(|index| *index >= 11), "{sign:?}: {stalls:?}");
            assert!(!stalls.is_empty(), "{sign:?}");
        }
    }

    #[test]
    fn a_time_in_which_nobody_could_look_counts_for_nothing() {
        let start = Instant::now();
        let mut consumption = Consumption::default();
        consumption.look(&[LOOK], start, |_| Some(LIMIT));
        consumption.interrupt();
        assert_eq!(consumption.look(&[LOOK], start + LIMIT, |_| Some(LIMIT)), []);
        let stalled = consumption.look(&[LOOK], start + 2 * LIMIT, |_| Some(LIMIT));
        assert_eq!(stalled, [Stalled { queue: Queue::P4, ready: 3, lasted: LIMIT }]);
        assert!(stalled[0].to_string().contains("3 tasks are ready on normal.p4"), "{}", stalled[0]);
        assert_eq!(consumption.look(&[LOOK], start + 3 * LIMIT, |_| None), [], "not watched");
    }
}
