use std::time::Duration;

use super::{Facts, Replicas, arrivals::Arrivals, service_time::ServiceTime};
use crate::autoscale::{Plan, driver::Replica};
use clawpool_backends::{broker::Depth, store::WorkerInfo};
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
    /// Of every queue, the part that falls to this pool.
    shares: [f64; Queue::ALL.len()],
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
            shares: Queue::ALL.map(|queue| if plan.queues.contains(&queue) { 1.0 } else { 0.0 }),
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
            self.shares = self.shares(&replicas, workers);
            self.service.observe(
                now,
                workers.iter().filter(|worker| worker.alive && worker.beat.pool == self.plan.pool),
            );
        }
        if let Some(totals) = &facts.totals {
            self.arrivals.observe(now, totals, &self.shares);
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

    /// Two pools that serve one queue divide it by the slots that they have at work. A pool without any yet
    /// counts as one worker, so that it begins.
    fn shares(&self, replicas: &Replicas, workers: &[WorkerInfo]) -> [f64; Queue::ALL.len()] {
        let own =
            replicas.staying.iter().map(|replica| replica.slots).sum::<u32>().max(self.plan.slots.into());
        let stays = |worker: &&WorkerInfo| {
            worker.alive && !worker.beat.draining && worker.beat.pool != self.plan.pool
        };
        Queue::ALL.map(|queue| {
            let others = workers.iter().filter(stays).filter(|worker| worker.beat.queues.contains(&queue));
            let others: u32 = others.map(|worker| worker.beat.slots).sum();
            let share = f64::from(own) / f64::from(own.saturating_add(others).max(1));
            if self.plan.queues.contains(&queue) { share } else { 0.0 }
        })
    }

    fn demand(&mut self, now: Duration, facts: &Facts, workers: &[WorkerInfo]) -> Option<Queues> {
        let depths = facts.depths.as_ref()?;
        let oldest = self.waited(now, facts, depths);
        let ready = self
            .plan
            .queues
            .iter()
            .zip(depths)
            .map(|(queue, depth)| depth.ready as f64 * self.shares[queue.index()]);
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
    fn waited(&mut self, now: Duration, facts: &Facts, depths: &[Depth]) -> Duration {
        let age = depths.iter().filter_map(|depth| depth.oldest).map(|oldest| facts.at.since(oldest)).max();
        let most = self.oldest.map(|(at, waited)| waited.saturating_add(now.saturating_sub(at)));
        let waited = age.unwrap_or_default().min(most.unwrap_or(Duration::MAX));
        self.oldest = Some((now, waited));
        waited
    }
}
