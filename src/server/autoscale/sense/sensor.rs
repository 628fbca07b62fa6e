use std::time::Duration;

use super::{Facts, Replicas, arrivals::Arrivals, service_time::ServiceTime};
use crate::autoscale::{Plan, driver::Replica};
use clawpool_backends::{
    broker::Depth,
    store::{Beat, WorkerInfo},
};
use clawpool_core::{
    scaling::{Queues, Reading},
    task::Queue,
};

/// Watches one pool. Remembers what rates and spans are counted from.
pub struct Sensor {
    plan: Plan,
    arrivals: Arrivals,
    service: ServiceTime,
    /// When the oldest task's wait was last known, and what it was.
    oldest: Option<(Duration, Duration)>,
    /// Workers of other pools.
    others: Vec<Beat>,
    /// Slots of the pool's own workers.
    own: u32,
    /// Workers that the driver did not start, as last known.
    unmanaged: u32,
    /// Since when the store has answered every time.
    answering_since: Option<Duration>,
    /// Since when no worker of the pool has been alive.
    all_dead_since: Option<Duration>,
}

impl Sensor {
    pub fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            arrivals: Arrivals::new(plan.settings.target.sensed()),
            service: ServiceTime::default(),
            oldest: None,
            others: Vec::new(),
            own: plan.slots.into(),
            unmanaged: 0,
            answering_since: None,
            all_dead_since: None,
        }
    }

    /// The store took no writes, or the last reading is too old: the registry does not say which workers
    /// live.
    pub const fn forget_liveness(&mut self) {
        self.answering_since = None;
        self.all_dead_since = None;
    }

    /// `now` is monotonic.
    pub fn read(&mut self, now: Duration, facts: &Facts, replicas: &[Replica]) -> (Reading, Replicas) {
        let workers = self.living(now, facts.workers.as_deref());
        let workers = workers.as_deref();
        let replicas =
            Replicas::new(&self.plan.pool, replicas, workers.unwrap_or_default(), self.plan.memory);
        if let Some(workers) = workers {
            self.unmanaged = replicas.unmanaged();
            self.note_shares(&replicas, workers);
            self.service.observe(
                now,
                workers.iter().filter(|worker| worker.alive && worker.beat.pool == self.plan.pool),
            );
        }
        if let Some(totals) = &facts.totals {
            let share = |queue| share(&self.plan, self.own, &self.others, queue);
            self.arrivals.observe(now, totals, share);
        }
        let unseen = if workers.is_none() { self.unmanaged } else { 0 };
        let reading = Reading {
            size: replicas.size() + unseen,
            queues: self.demand(now, facts, workers.unwrap_or_default()),
            workers: workers.map(|_| replicas.workers()),
            ..Reading::default()
        };
        (reading, replicas)
    }

    /// While the store was away no worker could beat, and leases ended: until the store has answered for a
    /// whole lease, no worker is taken for dead. Readings that are far apart say little of what was between
    /// them: there, leases that are all over at once count only when they still are a lease later.
    fn living(&mut self, now: Duration, workers: Option<&[WorkerInfo]>) -> Option<Vec<WorkerInfo>> {
        let Some(workers) = workers else {
            self.forget_liveness();
            return None;
        };
        let ours = || workers.iter().filter(|worker| worker.beat.pool == self.plan.pool);
        let all_dead = ours().next().is_some() && !ours().any(|worker| worker.alive);
        self.all_dead_since = all_dead.then(|| self.all_dead_since.unwrap_or(now));
        let mut since = *self.answering_since.get_or_insert(now);
        if self.plan.settings.every > self.plan.lease / 2 {
            since = since.max(self.all_dead_since.unwrap_or_default());
        }
        let patient = now.saturating_sub(since) < self.plan.lease;
        let judged =
            workers.iter().cloned().map(|worker| WorkerInfo { alive: worker.alive || patient, ..worker });
        Some(judged.collect())
    }

    /// A pool without any worker yet counts as one, so that it begins.
    fn note_shares(&mut self, replicas: &Replicas, workers: &[WorkerInfo]) {
        let own: u32 = replicas.staying.iter().map(|replica| replica.slots).sum();
        self.own = own.max(self.plan.slots.into());
        let stays = |worker: &&WorkerInfo| {
            worker.alive && !worker.beat.draining && worker.beat.pool != self.plan.pool
        };
        self.others = workers.iter().filter(stays).map(|worker| worker.beat.clone()).collect();
    }

    fn demand(&mut self, now: Duration, facts: &Facts, workers: &[WorkerInfo]) -> Option<Queues> {
        let depths = facts.depths.as_ref()?;
        let oldest = self.waited(now, facts, depths);
        let share = |queue| share(&self.plan, self.own, &self.others, queue);
        let ready = depths.iter().map(|(queue, depth)| depth.ready as f64 * share(*queue));
        let ours = workers.iter().filter(|worker| worker.alive && worker.beat.pool == self.plan.pool);
        Some(Queues {
            ready: ready.sum::<f64>().ceil() as u64,
            in_flight: ours.flat_map(|worker| &worker.beat.running).map(|running| u64::from(*running)).sum(),
            oldest,
            arrivals: self.arrivals.rate(now)?,
            service: self.service.time(),
        })
    }

    /// Ages come from the wall clock, and a task that was due later than it was made looks older than its
    /// wait. Neither can have waited longer than since the queue was last seen empty, or than the oldest had
    /// then and since.
    fn waited(&mut self, now: Duration, facts: &Facts, depths: &[(Queue, Depth)]) -> Duration {
        let age =
            depths.iter().filter_map(|(_, depth)| depth.oldest).map(|oldest| facts.at.since(oldest)).max();
        let most = self.oldest.map(|(at, waited)| waited.saturating_add(now.saturating_sub(at)));
        let waited = age.unwrap_or_default().min(most.unwrap_or(Duration::MAX));
        self.oldest = Some((now, waited));
        waited
    }
}

/// The part of a queue that falls to a pool. Two pools that serve one queue divide it by the slots that they
/// have at work.
fn share(plan: &Plan, own: u32, others: &[Beat], queue: Queue) -> f64 {
    if !plan.serves(queue) {
        return 0.0;
    }
    let others: u32 = others.iter().filter(|beat| beat.serves(queue)).map(|beat| beat.slots).sum();
    f64::from(own) / f64::from(own.saturating_add(others).max(1))
}
