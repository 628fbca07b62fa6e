//! Filling free slots: which deliveries are claimed now, and how many more are fetched.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    claim::ClaimAnswer,
    engine::{Engine, Event},
    job::{Job, Stop},
    stop::Phase,
    throttle::Throttle,
};
use clawpool_backends::broker::Delivery;
use clawpool_core::task::Queue;

/// Calls to the store for other queues than P0 and P1 under way at most: beyond these, claims gather into
/// larger ones.
const CLAIMS: usize = 8;

/// The answer to a batch of claims.
pub(super) struct ClaimedBatch {
    number: u64,
    answers: Vec<ClaimAnswer>,
    critical: bool,
    took: Duration,
}

impl Engine {
    /// Fills the free slots and tells the fetchers what more is wanted. Called after each round of events.
    pub fn dispatch(&mut self) {
        self.start_all();
        if self.phase == Phase::Working {
            self.arbiter.set_ahead(self.throughput.claims(self.settings.slots.into()));
            // P0 and P1 have calls to the store of their own, so that they wait for no larger batch of
            // others.
            let (urgent, others) = self.picked();
            for (batch, critical) in [(urgent, true), (others, false)] {
                let fresh = self.put_off_again(batch);
                self.claim(fresh, critical);
            }
            self.set_demand();
        }
        for queue in Queue::ALL {
            self.vitals.set_running(queue, self.arbiter.running(queue) - self.run_queue.waiting(queue));
        }
    }

    pub(super) fn on_claimed(&mut self, batch: ClaimedBatch) {
        self.claiming -= 1;
        self.claims.end(batch.number);
        self.others_claiming -= usize::from(!batch.critical);
        if batch.critical
            && let Some(throttle) = &mut self.throttle
        {
            throttle.answered(batch.took);
        }
        for (queue, job) in batch.answers {
            match job {
                // Its claim was under way when the pause came.
                Some(job) if self.paused.contains(&queue) => self.release(vec![job]),
                Some(job) if self.is_here_already(&job) => self.release(vec![job]),
                Some(job) => self.run_queue.push(job),
                None => self.arbiter.freed(queue),
            }
        }
    }

    /// Whether the worker has this task already, by an earlier claim. That claim has ended, as this later one
    /// shows: the worker's lease was over, though the worker lives. So the earlier run is told to stop.
    fn is_here_already(&self, job: &Job) -> bool {
        // A task with which no worker died was not claimed before: the run queue need not be searched.
        let earlier = if job.crashes > 0 { self.here(job.task.id) } else { None };
        earlier.inspect(|earlier| earlier.stop(Stop::Lost)).is_some()
    }

    /// Messages of tasks that still run here wait until that has ended. Answers the others.
    fn put_off_again(&mut self, batch: Vec<Delivery>) -> Vec<Delivery> {
        let runs = |delivery: &Delivery| self.running.contains_key(&delivery.receipt.id);
        if !batch.iter().any(runs) {
            return batch;
        }
        let (again, fresh): (Vec<_>, Vec<_>) = batch.into_iter().partition(runs);
        again.iter().for_each(|delivery| self.arbiter.freed(delivery.receipt.queue));
        tokio::spawn(self.claimer.clone().put_off(again));
        fresh
    }

    fn claim(&mut self, batch: Vec<Delivery>, critical: bool) {
        if batch.is_empty() {
            return;
        }
        self.claiming += 1;
        let number = self.claims.begin(1);
        self.others_claiming += usize::from(!critical);
        let (claimer, events) = (self.claimer.clone(), self.events.clone());
        tokio::spawn(async move {
            let since = Instant::now();
            let answers = claimer.claim_all(batch).await;
            let claimed = ClaimedBatch { number, answers, critical, took: since.elapsed() };
            // Fails only after the engine has ended, which it does not while a claim is under way.
            let _ = events.send(Event::Claimed(claimed)).await;
        });
    }

    /// Of the ready tasks, those that get a slot now: P0 and P1, and others.
    fn picked(&mut self) -> (Vec<Delivery>, Vec<Delivery>) {
        let (mut urgent, mut others) = (Vec::new(), Vec::new());
        if !self.settles() {
            return (urgent, others);
        }
        let most = if self.others_wait() { self.others_open() } else { 0 };
        while let Some(queue) =
            self.arbiter.pick(|queue| !self.ready[queue.index()].is_empty(), others.len() < most)
        {
            let batch = if queue.is_critical() { &mut urgent } else { &mut others };
            batch.extend(self.ready[queue.index()].pop_front().map(|(delivery, _)| delivery));
        }
        (urgent, others)
    }

    /// Outcomes that cannot be settled hold up new starts, so that their number stays bounded.
    fn settles(&self) -> bool {
        self.outcomes.room() > 2 * usize::from(self.settings.slots)
    }

    fn others_open(&mut self) -> usize {
        self.throttle.as_mut().map_or(usize::MAX, Throttle::open)
    }

    /// Only the throttle can keep them.
    fn others_wait(&self) -> bool {
        let waits = |queue: &Queue| !self.ready[queue.index()].is_empty() && self.arbiter.room(*queue) > 0;
        self.others_claiming < CLAIMS && Queue::ALL.iter().any(|queue| !queue.is_critical() && waits(queue))
    }

    /// When the throttle lets others through. None while something else keeps them: the engine would wake for
    /// nothing.
    pub(super) fn next_opening(&self) -> Option<Instant> {
        let throttle = self.throttle.as_ref()?;
        if self.settles() && self.others_wait() { throttle.next() } else { None }
    }

    fn set_demand(&mut self) {
        let ahead = self.throughput.ahead();
        for (queue, demand) in &self.demand {
            let mut room = self.arbiter.room(*queue) + ahead;
            if !queue.is_critical()
                && let Some(throttle) = &self.throttle
            {
                room = room.min(throttle.within(self.settings.hold / 2));
            }
            let wanted = if self.paused.contains(queue) {
                0
            } else {
                room.saturating_sub(self.ready[queue.index()].len())
            };
            demand.send_if_modified(|demand| std::mem::replace(demand, wanted) != wanted);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio_util::sync::CancellationToken;

    use super::{
        super::{parts::Parts, settle::Outcomes},
        *,
    };
    use crate::{process::Shutdown, worker::Registry};
    use clawpool_backends::broker::conformance::delivery;
    use clawpool_core::{
        config::Config,
        task::{Priority, ProcessId},
    };

    pub fn claimed_batch(answers: Vec<ClaimAnswer>) -> ClaimedBatch {
        ClaimedBatch { number: 0, answers, critical: false, took: Duration::ZERO }
    }

    #[tokio::test]
    async fn the_engine_wakes_for_the_throttle_only_while_nothing_else_keeps_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.embedded.data = folder.path().to_owned();
        let stop = CancellationToken::new();
        let mut parts = Parts::assemble(&config, Registry::default(), ProcessId::new(), "test".into(), &stop)
            .await
            .unwrap();
        let engine = &mut parts.engine;
        engine.ready[Queue::P4.index()].push_back((delivery(Priority::P4), Instant::now()));
        assert_eq!(engine.next_opening(), None, "nothing is slowed");
        engine.throttle.as_mut().unwrap().arrived(0.0);
        assert!(engine.next_opening().is_some());
        engine.others_claiming = CLAIMS;
        assert_eq!(engine.next_opening(), None, "the answer to a claim wakes it");
        engine.others_claiming = 0;
        let (full, _kept) = Outcomes::new(1);
        let outcomes = std::mem::replace(&mut engine.outcomes, full);
        assert_eq!(engine.next_opening(), None, "outcomes wait for the store");
        engine.outcomes = outcomes;
        engine.drain();
        assert_eq!(engine.next_opening(), None, "it takes nothing more");
        parts.dismantle(&Shutdown::default()).await;
    }
}
