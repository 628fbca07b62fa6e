use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant},
};

use super::{
    Arbiter,
    claim::{Claimer, Ruling},
    job::{Job, Stop},
    lease::Vitals,
    settle::Ended,
    slots::Slots,
};
use crate::{
    broker::{Broker, Delivery, Receipt},
    config::WorkerSettings,
    retry,
    store::Orders,
    task::{ErrorClass, Failure, Outcome, Payload, Queue, TaskId, Timestamp},
};

/// The one owner of a worker's state. Everything else runs beside it and reports here.
pub(super) struct Engine {
    pub settings: WorkerSettings,
    pub retries: retry::Table,
    pub result_limit: usize,
    pub arbiter: Arbiter,
    pub slots: Slots,
    pub claimer: Claimer,
    pub broker: Arc<dyn Broker>,
    pub vitals: Arc<Vitals>,
    pub settle: mpsc::Sender<Ended>,
    pub demand: Vec<(Queue, watch::Sender<usize>)>,
    /// Fetched and waiting for a slot, with the time of arrival.
    pub ready: [VecDeque<(Delivery, Instant)>; Queue::ALL.len()],
    pub running: HashMap<TaskId, (usize, Arc<Job>)>,
    /// Batches of claims under way.
    pub claiming: usize,
    pub events: mpsc::Sender<Event>,
    pub paused: Vec<Queue>,
    pub pace: Pace,
    pub phase: Phase,
    /// A handler never came back; its thread is lost.
    pub hung: bool,
}

pub(super) enum Event {
    Fetched(Queue, Vec<Delivery>),
    Ruled(Vec<Ruling>),
    Finished { slot: usize, job: Arc<Job>, result: Result<Payload, Failure> },
}

/// The two phases of a stop: running tasks may finish, then they are told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    Finishing { until: Instant },
    Leaving { until: Instant },
}

impl Engine {
    /// Handles one event of a fetcher or a slot.
    pub fn on_event(&mut self, event: Event) {
        match event {
            Event::Fetched(queue, batch) if self.phase == Phase::Working => {
                let now = Instant::now();
                self.ready[queue.index()].extend(batch.into_iter().map(|delivery| (delivery, now)));
            }
            Event::Fetched(_, batch) => self.give_back(batch.into_iter().map(|delivery| delivery.receipt).collect()),
            Event::Ruled(rulings) => self.on_rulings(rulings),
            Event::Finished { slot, job, result } => {
                self.slots.freed(slot);
                // A hung job was settled before; its slot counts as lost.
                if self.running.remove(&job.task.id).is_some() {
                    self.arbiter.freed(job.queue());
                    self.pace.finished();
                    let outcome = self.outcome(&job, result);
                    self.settle(job, outcome);
                }
            }
        }
    }

    fn on_rulings(&mut self, rulings: Vec<Ruling>) {
        self.claiming -= 1;
        for (queue, job) in rulings {
            match job {
                Some(job) => self.start(job),
                None => self.arbiter.freed(queue),
            }
        }
    }

    fn start(&mut self, job: Arc<Job>) {
        if let Phase::Leaving { .. } = self.phase {
            job.stop(Stop::Leaving);
        }
        match self.slots.start(Arc::clone(&job)) {
            Some(slot) => {
                self.running.insert(job.task.id, (slot, job));
            }
            None => {
                self.arbiter.freed(job.queue());
                self.settle(job, Outcome::Released);
            }
        }
    }

    pub fn on_orders(&mut self, orders: Orders) {
        for (ids, why) in [(orders.cancel, Stop::Cancelled), (orders.lost, Stop::Lost)] {
            for (_, job) in ids.iter().filter_map(|id| self.running.get(id)) {
                job.stop(why);
            }
        }
        self.paused = orders.paused;
        if orders.drain {
            self.drain();
        }
    }

    /// First phase: take nothing new, give back what has not started, let the rest finish.
    pub fn drain(&mut self) {
        if self.phase != Phase::Working {
            return;
        }
        tracing::info!(running = self.running.len(), grace = ?self.settings.grace, "draining");
        self.phase = Phase::Finishing { until: Instant::now() + self.settings.grace };
        self.vitals.set_draining();
        self.claimer.stop.cancel();
        self.demand.clear();
        let ready = self.ready.iter_mut().flat_map(std::mem::take).map(|(delivery, _)| delivery.receipt).collect();
        self.give_back(ready);
    }

    /// Fills the free slots and tells the fetchers what more is wanted. Called after each round of events.
    pub fn dispatch(&mut self) {
        if self.phase == Phase::Working {
            let batch = self.picked();
            if !batch.is_empty() {
                self.claim(batch);
            }
            self.set_demand();
        }
        for queue in Queue::ALL {
            self.vitals.set_running(queue, self.arbiter.running(queue));
        }
    }

    fn claim(&mut self, batch: Vec<Delivery>) {
        self.claiming += 1;
        let (claimer, events) = (self.claimer.clone(), self.events.clone());
        tokio::spawn(async move {
            // Fails only after the engine has ended, which it does not while a claim is under way.
            let _ = events.send(Event::Ruled(claimer.rule(batch).await)).await;
        });
    }

    fn picked(&mut self) -> Vec<Delivery> {
        let mut batch = Vec::new();
        // Outcomes that cannot be settled hold up new starts, so that their number stays bounded.
        if self.settle.capacity() <= usize::from(self.settings.slots) {
            return batch;
        }
        while let Some(queue) = self.arbiter.pick(|queue| !self.ready[queue.index()].is_empty()) {
            batch.extend(self.ready[queue.index()].pop_front().map(|(delivery, _)| delivery));
        }
        batch
    }

    fn set_demand(&mut self) {
        let ahead = self.pace.ahead();
        for (queue, demand) in &self.demand {
            let room = self.arbiter.room(*queue) + ahead;
            let wanted =
                if self.paused.contains(queue) { 0 } else { room.saturating_sub(self.ready[queue.index()].len()) };
            demand.send_if_modified(|demand| std::mem::replace(demand, wanted) != wanted);
        }
    }

    /// When [`Engine::on_time`] has something to do next.
    pub fn next_alarm(&self) -> Option<Instant> {
        let held = self.ready.iter().filter_map(|ready| ready.front()).map(|(_, since)| *since + self.settings.hold);
        let hung = self.running.values().map(|(_, job)| self.given_up_at(job));
        let phase = match self.phase {
            Phase::Working => None,
            Phase::Finishing { until } | Phase::Leaving { until } => Some(until),
        };
        held.chain(hung).chain(phase).min()
    }

    pub fn on_time(&mut self) {
        let now = Instant::now();
        let hold = self.settings.hold;
        let stale = self.ready.iter_mut().flat_map(|ready| {
            let count = ready.iter().take_while(|(_, since)| *since + hold <= now).count();
            ready.drain(..count).map(|(delivery, _)| delivery.receipt).collect::<Vec<_>>()
        });
        let stale = stale.collect();
        self.give_back(stale);
        let hung: Vec<TaskId> =
            self.running.values().filter(|(_, job)| self.given_up_at(job) <= now).map(|(_, job)| job.task.id).collect();
        hung.into_iter().for_each(|id| self.abandon(id));
        match self.phase {
            Phase::Finishing { until } if until <= now => self.tell_to_leave(),
            Phase::Leaving { until } if until <= now => self.release_all(),
            _ => {}
        }
    }

    pub fn is_done(&self) -> bool {
        self.phase != Phase::Working && self.running.is_empty() && self.claiming == 0
    }

    /// Second phase: what still runs is told to stop.
    pub fn tell_to_leave(&mut self) {
        tracing::warn!(running = self.running.len(), "running tasks are told to stop");
        self.phase = Phase::Leaving { until: Instant::now() + self.settings.stop_grace };
        self.running.values().for_each(|(_, job)| job.stop(Stop::Leaving));
    }

    /// Past the second phase: what did not stop goes back to its queue, without an attempt (INV-8).
    fn release_all(&mut self) {
        let jobs: Vec<Arc<Job>> = self.running.drain().map(|(_, (_, job))| job).collect();
        jobs.into_iter().for_each(|job| self.settle(job, Outcome::Released));
    }

    /// A handler that did not end long after it was told to has lost its thread. Its attempt failed; its slot stays
    /// taken, and the worker leaves so that a fresh one can replace it.
    fn abandon(&mut self, id: TaskId) {
        if let Some((_, job)) = self.running.remove(&id) {
            tracing::error!(code = "CP-1502", %id, kind = job.task.kind, "a handler hangs; the worker leaves to be replaced");
            let why = format!("the handler hung: it ran past its {:?} and could not be stopped", job.task.timeout);
            let outcome = self.outcome(&job, Err(Failure::new(ErrorClass::Timeout, why)));
            self.settle(job, outcome);
            self.hung = true;
            self.drain();
        }
    }

    fn given_up_at(&self, job: &Job) -> Instant {
        job.deadline + self.settings.stop_grace * 2 + Duration::from_secs(1)
    }

    fn outcome(&self, job: &Job, result: Result<Payload, Failure>) -> Outcome {
        let failure = match (result, job.stopped()) {
            (Ok(result), _) if result.as_message_pack().len() <= self.result_limit => {
                return Outcome::Completed(result);
            }
            (Ok(result), _) => {
                let (size, limit) = (result.as_message_pack().len(), self.result_limit);
                Failure::new(ErrorClass::Validation, format!("the result has {size} bytes; limits.result is {limit}"))
            }
            (Err(_), Some(Stop::Cancelled)) => return Outcome::Cancelled,
            (Err(_), Some(Stop::Leaving | Stop::Lost)) => return Outcome::Released,
            (Err(failure), None) => failure,
        };
        let outcome = retry::decide(&self.retries, &job.task, failure, Timestamp::now(), &mut rand::rng());
        log_failure(job, &outcome);
        outcome
    }

    fn settle(&self, job: Arc<Job>, outcome: Outcome) {
        // There is room for every running task: see `picked`. A refused outcome would only mean that the task runs again.
        if self.settle.try_send(Ended { job, outcome }).is_err() {
            tracing::error!("the settler is gone; a task will run again");
        }
    }

    fn give_back(&self, receipts: Vec<Receipt>) {
        if receipts.is_empty() {
            return;
        }
        let broker = Arc::clone(&self.broker);
        tokio::spawn(async move {
            if let Err(error) = broker.release(receipts).await {
                tracing::debug!(code = error.code(), %error, "tasks could not be given back; the broker will notice");
            }
        });
    }
}

fn log_failure(job: &Job, outcome: &Outcome) {
    let (id, kind) = (job.task.id, &job.task.kind);
    match outcome {
        Outcome::Retry { failure, at } => tracing::info!(%id, kind, %failure, next = %at, "failed; will retry"),
        Outcome::Dead { failure, .. } if failure.class == ErrorClass::Security => {
            tracing::error!(%id, kind, %failure, alert = true, "security failure; dead-lettered");
        }
        Outcome::Dead { failure, reason } => {
            tracing::warn!(%id, kind, %failure, %reason, "failed for good; dead-lettered")
        }
        _ => {}
    }
}

/// How many messages to fetch ahead of free slots: as many as finished in the last half of `hold`, so that what is
/// fetched ahead starts long before it would be given back. Zero when tasks are slow.
pub(super) struct Pace {
    window: Duration,
    started: Instant,
    finished: usize,
    ahead: usize,
}

impl Pace {
    const MOST: usize = 1024;

    pub fn new(hold: Duration) -> Self {
        Self { window: hold / 2, started: Instant::now(), finished: 0, ahead: 0 }
    }

    fn finished(&mut self) {
        self.finished += 1;
    }

    fn ahead(&mut self) -> usize {
        let elapsed = self.started.elapsed();
        if elapsed >= self.window {
            let windows = elapsed.as_nanos() / self.window.as_nanos().max(1);
            self.ahead = usize::try_from(self.finished as u128 / windows.max(1)).unwrap_or(Self::MOST).min(Self::MOST);
            self.finished = 0;
            self.started = Instant::now();
        }
        self.ahead
    }
}

/// Sleeps until `alarm`, or for ever.
pub(super) async fn alarm(alarm: Option<Instant>) {
    match alarm {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
