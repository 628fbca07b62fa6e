use std::time::Duration;

use super::{Crew, Facts, arrivals::Arrivals, service::Service};
use crate::autoscale::{Plan, driver::Member};
use clawpool_backends::{broker::Depth, store::WorkerInfo};
use clawpool_core::{
    scaling::{Queues, Reading},
    task::Queue,
};

/// Watches one pool. Remembers what rates and spans are counted from.
pub struct Sensor {
    plan: Plan,
    arrivals: Arrivals,
    service: Service,
    /// When the oldest task's wait was last known, and what it was.
    oldest: Option<(Duration, Duration)>,
    /// Of every queue, the part that falls to this pool.
    shares: [f64; Queue::ALL.len()],
    /// Workers that the driver did not start, as last known.
    foreign: u32,
    /// Since when the store has answered every time.
    heard_since: Option<Duration>,
    /// Since when no worker of the pool has been alive.
    deserted_since: Option<Duration>,
}

impl Sensor {
    pub fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            arrivals: Arrivals::new(plan.settings.target.sensed()),
            service: Service::default(),
            oldest: None,
            shares: Queue::ALL.map(|queue| if plan.queues.contains(&queue) { 1.0 } else { 0.0 }),
            foreign: 0,
            heard_since: None,
            deserted_since: None,
        }
    }

    /// The store took no writes, or nobody looked for too long: what the registry says of lives is not known.
    pub const fn distrust(&mut self) {
        self.heard_since = None;
        self.deserted_since = None;
    }

    /// `now` is monotonic.
    pub fn read(&mut self, now: Duration, facts: &Facts, members: &[Member]) -> (Reading, Crew) {
        let workers = self.living(now, facts.workers.as_deref());
        let workers = workers.as_deref();
        let crew = Crew::new(&self.plan.pool, members, workers.unwrap_or_default(), self.plan.memory);
        if let Some(workers) = workers {
            self.foreign = crew.foreign();
            self.shares = self.shares(&crew, workers);
            self.service.look(now, workers.iter().filter(|worker| worker.alive && worker.beat.pool == self.plan.pool));
        }
        if let Some(totals) = &facts.totals {
            self.arrivals.look(now, totals, &self.shares);
        }
        let unseen = if workers.is_none() { self.foreign } else { 0 };
        let reading = Reading {
            size: crew.size() + unseen,
            queues: self.demand(now, facts, workers.unwrap_or_default()),
            workers: workers.map(|_| crew.workers()),
            ..Reading::default()
        };
        (reading, crew)
    }

    /// While the store was away nobody could beat, and leases ended: until a whole lease has been heard, nobody is taken
    /// for dead. Looks that are far apart say little of what was between them; there, leases that are all over at once
    /// count when they still are a lease later.
    fn living(&mut self, now: Duration, workers: Option<&[WorkerInfo]>) -> Option<Vec<WorkerInfo>> {
        let Some(workers) = workers else {
            self.distrust();
            return None;
        };
        let ours = || workers.iter().filter(|worker| worker.beat.pool == self.plan.pool);
        let deserted = ours().next().is_some() && !ours().any(|worker| worker.alive);
        self.deserted_since = deserted.then(|| self.deserted_since.unwrap_or(now));
        let mut since = *self.heard_since.get_or_insert(now);
        if self.plan.settings.every > self.plan.lease / 2 {
            since = since.max(self.deserted_since.unwrap_or_default());
        }
        let patient = now.saturating_sub(since) < self.plan.lease;
        let judged = workers.iter().cloned().map(|worker| WorkerInfo { alive: worker.alive || patient, ..worker });
        Some(judged.collect())
    }

    /// Two pools that serve one queue divide it by the slots that they have at work. A pool without any yet counts as
    /// one worker, so that it begins.
    fn shares(&self, crew: &Crew, workers: &[WorkerInfo]) -> [f64; Queue::ALL.len()] {
        let own = crew.hands.iter().map(|hand| hand.slots).sum::<u32>().max(self.plan.slots.into());
        let stays = |worker: &&WorkerInfo| worker.alive && !worker.beat.draining && worker.beat.pool != self.plan.pool;
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
        let ready =
            self.plan.queues.iter().zip(depths).map(|(queue, depth)| depth.ready as f64 * self.shares[queue.index()]);
        let ours = workers.iter().filter(|worker| worker.alive && worker.beat.pool == self.plan.pool);
        Some(Queues {
            ready: ready.sum::<f64>().ceil() as u64,
            in_flight: ours.flat_map(|worker| &worker.beat.running).map(|running| u64::from(*running)).sum(),
            oldest,
            arrivals: self.arrivals.rate(now)?,
            service: self.service.time(),
        })
    }

    /// Ages come from the wall clock, and a task that was due later than it was made looks older than its wait. Neither
    /// can have waited longer than since the queue was last seen empty, or than the oldest had then and since.
    fn waited(&mut self, now: Duration, facts: &Facts, depths: &[Depth]) -> Duration {
        let age = depths.iter().filter_map(|depth| depth.oldest).map(|oldest| facts.at.since(oldest)).max();
        let most = self.oldest.map(|(at, waited)| waited.saturating_add(now.saturating_sub(at)));
        let waited = age.unwrap_or_default().min(most.unwrap_or(Duration::MAX));
        self.oldest = Some((now, waited));
        waited
    }
}
