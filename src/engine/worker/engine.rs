use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant},
};

use super::{
    Arbiter, WorkerError,
    claim::Claimer,
    demand::ClaimedBatch,
    heartbeat::Vitals,
    job::{Job, Stop},
    outcome,
    questions::{Doubt, UnderWay},
    receipts,
    run_queue::RunQueue,
    settle::{Ended, Outcomes},
    slots::Slots,
    stop::Phase,
    throttle::Throttle,
    throughput::Throughput,
};
use clawpool_backends::{
    broker::{Broker, Delivery, Receipt},
    store::Orders,
};
use clawpool_core::{
    config::WorkerSettings,
    retry,
    task::{Failure, Outcome, Payload, Queue, TaskId},
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
    pub outcomes: Outcomes,
    pub demand: Vec<(Queue, watch::Sender<usize>)>,
    /// Fetched and waiting for a slot, with the time of arrival.
    pub ready: [VecDeque<(Delivery, Instant)>; Queue::ALL.len()],
    /// Claimed and waiting for a slot.
    pub run_queue: RunQueue,
    pub running: HashMap<TaskId, (usize, Arc<Job>)>,
    /// Batches of claims under way, and their numbers.
    pub claiming: usize,
    pub claims: UnderWay,
    /// Of them, those of other queues than P0 and P1.
    pub others_claiming: usize,
    /// Of a worker that serves P0 or P1 beside others.
    pub throttle: Option<Throttle>,
    pub events: mpsc::Sender<Event>,
    pub paused: Vec<Queue>,
    /// Claims that the store counts as running here and that are not known here.
    pub doubts: Vec<Doubt>,
    pub throughput: Throughput,
    pub phase: Phase,
    /// Why it leaves without being asked to.
    pub failed: Option<WorkerError>,
}

pub(super) enum Event {
    Fetched(Queue, Vec<Delivery>),
    Claimed(ClaimedBatch),
    Finished { slot: usize, job: Arc<Job>, result: Result<Payload, Failure> },
}

impl Engine {
    /// Handles one event of a fetcher or a slot.
    pub fn on_event(&mut self, event: Event) {
        match event {
            Event::Fetched(queue, batch) if self.phase == Phase::Working && !self.paused.contains(&queue) => {
                if queue.is_critical()
                    && let Some(throttle) = &mut self.throttle
                {
                    throttle.arrived(self.throughput.per_second());
                }
                let now = Instant::now();
                self.ready[queue.index()].extend(batch.into_iter().map(|delivery| (delivery, now)));
            }
            Event::Fetched(_, batch) => {
                self.give_back(batch.into_iter().map(|delivery| delivery.receipt).collect())
            }
            Event::Claimed(batch) => self.on_claimed(batch),
            Event::Finished { slot, job, result } => {
                self.slots.freed(slot, job.queue());
                // A hung job was settled before; its slot counts as lost, and the task may run in another one
                // by now.
                if self.running.get(&job.task.id).is_some_and(|(its, _)| *its == slot) {
                    self.running.remove(&job.task.id);
                    self.arbiter.freed(job.queue());
                    self.throughput.finished();
                    let outcome = outcome::of(&job, result, &self.retries, self.result_limit);
                    self.settle(job, outcome);
                }
            }
        }
    }

    pub(super) fn start_all(&mut self) {
        while let Some(job) = self.run_queue.next(|queue| self.slots.is_open(queue)) {
            if job.stopped() == Some(Stop::Cancelled) {
                self.arbiter.freed(job.queue());
                self.settle(Arc::new(job), Outcome::Cancelled);
            } else {
                self.start(job.started());
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
            for id in &ids {
                self.here(*id).into_iter().for_each(|job| job.stop(why));
            }
        }
        self.answer(orders.asked);
        self.pause(orders.paused);
        if orders.drain {
            self.drain();
        }
    }

    /// The claimed task that runs here, or waits for a slot.
    pub(super) fn here(&self, id: TaskId) -> Option<&Job> {
        self.running.get(&id).map(|(_, job)| &**job).or_else(|| self.run_queue.find(id))
    }

    /// When [`Engine::on_time`] has something to do next.
    pub fn next_alarm(&self) -> Option<Instant> {
        let held =
            self.ready.iter().filter_map(|ready| ready.front()).map(|(_, since)| *since + self.settings.hold);
        let hung = self.running.values().map(|(_, job)| self.given_up_at(job));
        let phase = match self.phase {
            Phase::Working => None,
            Phase::Finishing { until } | Phase::Leaving { until } => Some(until),
        };
        let waiting = self.run_queue.oldest().map(|since| since + self.settings.hold);
        held.chain(waiting).chain(hung).chain(phase).chain(self.next_opening()).min()
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
        self.release_waiting(hold);
        let hung: Vec<TaskId> = self
            .running
            .values()
            .filter(|(_, job)| self.given_up_at(job) <= now)
            .map(|(_, job)| job.task.id)
            .collect();
        hung.into_iter().for_each(|id| self.abandon(id));
        match self.phase {
            Phase::Finishing { until } if until <= now => self.tell_to_leave(),
            Phase::Leaving { until } if until <= now => self.release_all(),
            _ => {}
        }
    }

    pub(super) fn settle(&self, job: Arc<Job>, outcome: Outcome) {
        // What is given back does not count as run.
        if !matches!(outcome, Outcome::Released) {
            self.vitals.attempt_ended(job.ran());
        }
        // There is room for every claimed task: see `picked`. A refused outcome would only mean that the task
        // runs again.
        if !self.outcomes.try_send(Ended { job, outcome }) {
            tracing::error!("the settler is gone; a task will run again");
        }
    }

    pub(super) fn give_back(&self, receipts: Vec<Receipt>) {
        if receipts.is_empty() {
            return;
        }
        let broker = Arc::clone(&self.broker);
        tokio::spawn(async move { receipts::give_back(&*broker, receipts).await });
    }
}

/// Sleeps until `alarm`, or for ever.
pub(super) async fn alarm(alarm: Option<Instant>) {
    match alarm {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
