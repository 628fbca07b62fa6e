//! Filling free slots: which deliveries are claimed now, and how many more are fetched.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    claim::Ruling,
    engine::{Engine, Event},
    stop::Phase,
    throttle::Throttle,
};
use crate::{broker::Delivery, task::Queue};

/// Calls to the store for other queues than P0 and P1 under way at most: beyond these, claims gather into larger ones.
const CLAIMS: usize = 8;

/// The answer to a batch of claims.
pub(super) struct Ruled {
    rulings: Vec<Ruling>,
    critical: bool,
    took: Duration,
}

impl Engine {
    /// Fills the free slots and tells the fetchers what more is wanted. Called after each round of events.
    pub fn dispatch(&mut self) {
        self.start_all();
        if self.phase == Phase::Working {
            self.arbiter.set_ahead(self.pace.claims(self.settings.slots.into()));
            // P0 and P1 have calls to the store of their own, so that they wait for no larger batch of others.
            let (urgent, others) = self.picked();
            self.claim(urgent, true);
            self.claim(others, false);
            self.set_demand();
        }
        for queue in Queue::ALL {
            self.vitals.set_running(queue, self.arbiter.running(queue) - self.line.waiting(queue));
        }
    }

    pub(super) fn on_ruled(&mut self, ruled: Ruled) {
        self.claiming -= 1;
        self.others_claiming -= usize::from(!ruled.critical);
        if ruled.critical
            && let Some(throttle) = &mut self.throttle
        {
            throttle.answered(ruled.took);
        }
        for (queue, job) in ruled.rulings {
            match job {
                Some(job) => self.line.join(job),
                None => self.arbiter.freed(queue),
            }
        }
    }

    fn claim(&mut self, batch: Vec<Delivery>, critical: bool) {
        if batch.is_empty() {
            return;
        }
        self.claiming += 1;
        self.others_claiming += usize::from(!critical);
        let (claimer, events) = (self.claimer.clone(), self.events.clone());
        tokio::spawn(async move {
            let since = Instant::now();
            let rulings = claimer.rule(batch).await;
            let ruled = Ruled { rulings, critical, took: since.elapsed() };
            // Fails only after the engine has ended, which it does not while a claim is under way.
            let _ = events.send(Event::Ruled(ruled)).await;
        });
    }

    /// Of the ready tasks, those that get a slot now: P0 and P1, and others.
    fn picked(&mut self) -> (Vec<Delivery>, Vec<Delivery>) {
        let (mut urgent, mut others) = (Vec::new(), Vec::new());
        // Outcomes that cannot be settled hold up new starts, so that their number stays bounded.
        if self.settle.capacity() <= 2 * usize::from(self.settings.slots) {
            return (urgent, others);
        }
        let most = if self.others_wait() { self.others_open() } else { 0 };
        while let Some(queue) = self.arbiter.pick(|queue| !self.ready[queue.index()].is_empty(), others.len() < most) {
            let batch = if queue.is_critical() { &mut urgent } else { &mut others };
            batch.extend(self.ready[queue.index()].pop_front().map(|(delivery, _)| delivery));
        }
        (urgent, others)
    }

    fn others_open(&mut self) -> usize {
        if self.others_claiming >= CLAIMS {
            return 0;
        }
        self.throttle.as_mut().map_or(usize::MAX, Throttle::open)
    }

    fn others_wait(&self) -> bool {
        let waits = |queue: &Queue| !self.ready[queue.index()].is_empty() && self.arbiter.room(*queue) > 0;
        Queue::ALL.iter().any(|queue| !queue.is_critical() && waits(queue))
    }

    /// When the throttle lets others through that wait.
    pub(super) fn next_beat(&self) -> Option<Instant> {
        self.throttle.as_ref().filter(|_| self.others_wait()).and_then(Throttle::next)
    }

    fn set_demand(&mut self) {
        let ahead = self.pace.ahead();
        for (queue, demand) in &self.demand {
            let mut room = self.arbiter.room(*queue) + ahead;
            if !queue.is_critical()
                && let Some(throttle) = &self.throttle
            {
                room = room.min(throttle.within(self.settings.hold / 2));
            }
            let wanted =
                if self.paused.contains(queue) { 0 } else { room.saturating_sub(self.ready[queue.index()].len()) };
            demand.send_if_modified(|demand| std::mem::replace(demand, wanted) != wanted);
        }
    }
}
