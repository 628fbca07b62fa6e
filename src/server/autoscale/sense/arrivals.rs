use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use clawpool_backends::store::Totals;
use clawpool_core::task::Queue;

/// How fast tasks come, from how the store's counters move.
pub(super) struct Arrivals {
    /// The rate is taken over the last while; a shorter one would follow every burst.
    window: Duration,
    counters: Option<BTreeMap<Queue, u64>>,
    /// Tasks of this pool since the first reading.
    count: f64,
    seen: VecDeque<(Duration, f64)>,
    /// What the store says itself, until two readings can be compared.
    hint: f64,
}

impl Arrivals {
    pub(super) const fn new(window: Duration) -> Self {
        Self { window, counters: None, count: 0.0, seen: VecDeque::new(), hint: 0.0 }
    }

    /// `share`: of each queue, the pool's part. New attempts of tasks that failed arrive like new tasks.
    pub(super) fn observe(&mut self, now: Duration, totals: &Totals, share: impl Fn(Queue) -> f64) {
        let counters: BTreeMap<Queue, u64> =
            totals.iter().map(|(queue, totals)| (*queue, totals.enqueued + totals.retried)).collect();
        self.hint = totals.iter().map(|(queue, totals)| totals.enqueue_rate * share(*queue)).sum();
        let before = self.counters.replace(counters.clone());
        let after = |queue: &Queue| counters.get(queue).copied().unwrap_or_default();
        match before.filter(|before| before.iter().all(|(queue, count)| *count <= after(queue))) {
            Some(before) => {
                let moved = counters.iter().map(|(queue, count)| {
                    let new = count - before.get(queue).copied().unwrap_or_default();
                    new as f64 * share(*queue)
                });
                self.count += moved.sum::<f64>();
            }
            // The first reading, or a store that began anew.
            None => self.seen.clear(),
        }
        self.seen.push_back((now, self.count));
        while self.seen.len() > 2
            && self.seen.front().is_some_and(|(at, _)| now.saturating_sub(*at) > self.window)
        {
            self.seen.pop_front();
        }
    }

    /// Tasks a second; absent before the first reading, and when the last one is long ago.
    pub(super) fn rate(&self, now: Duration) -> Option<f64> {
        let (first, before) = self.seen.front()?;
        let (last, after) = self.seen.back()?;
        let span = last.saturating_sub(*first).as_secs_f64();
        let known = now.saturating_sub(*last) <= self.window;
        known.then_some(if span > 0.0 { (after - before) / span } else { self.hint })
    }
}
