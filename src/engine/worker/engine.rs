use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Arbiter, Registry, WorkerError,
    demand::SourceOrders,
    facts::Spans,
    heartbeat::Vitals,
    job::{Job, Stop},
    outcome,
    puller::{self, Batch},
    questions::{Calls, Doubt},
    run_queue::RunQueue,
    served::ServedQueues,
    settle::{Ended, Outcomes},
    slots::Slots,
    stop::Phase,
    throttle::Throttle,
    throughput::Throughput,
};
use crate::trace::Tracer;
use clawpool_backends::{
    path::{Path, TakenTask},
    store::{Orders, Store},
};
use clawpool_core::{
    config::WorkerSettings,
    retry,
    task::{DeadReason, ErrorClass, Failure, Outcome, Payload, ProcessId, Queue, TaskId, Timestamp},
};

/// The one owner of a worker's state. Everything else runs beside it and reports here.
pub(super) struct Engine {
    pub worker: ProcessId,
    pub settings: WorkerSettings,
    pub registry: Arc<Registry>,
    pub retries: retry::Table,
    pub result_limit: usize,
    pub arbiter: Arbiter,
    pub slots: Slots,
    pub path: Arc<dyn Path>,
    pub store: Arc<dyn Store>,
    pub vitals: Arc<Vitals>,
    pub outcomes: Outcomes,
    pub tracer: Tracer,
    /// Where tasks come from.
    pub sources: Vec<SourceOrders>,
    /// Whose tasks they bring.
    pub served: ServedQueues,
    /// Fires when nothing more is to be claimed.
    pub stop_claims: CancellationToken,
    /// Taken and waiting for a slot.
    pub run_queue: RunQueue,
    pub running: HashMap<TaskId, (usize, Arc<Job>)>,
    /// Calls that take tasks.
    pub calls: Arc<Calls>,
    /// Of a worker that serves P0 or P1 beside others.
    pub throttle: Option<Throttle>,
    /// Others that it lets through and that were not taken yet.
    pub let_through: usize,
    pub paused: Vec<Queue>,
    /// Claims that the store counts as running here and that are not known here.
    pub doubts: Vec<Doubt>,
    pub throughput: Throughput,
    pub phase: Phase,
    /// Why it leaves without being asked to.
    pub failed: Option<WorkerError>,
}

pub(super) enum Event {
    Taken(Batch),
    /// Nothing is ready at this source.
    Idle(usize),
    /// The queues that are served, as of this number of a heartbeat; none where the store did not answer.
    Queues {
        number: u64,
        queues: Option<Vec<Queue>>,
    },
    Finished {
        slot: usize,
        job: Arc<Job>,
        result: Result<Payload, Failure>,
    },
}

impl Engine {
    /// Handles one event of a source or a slot.
    pub fn on_event(&mut self, event: Event) {
        match event {
            Event::Taken(batch) => self.on_taken(batch),
            Event::Idle(source) => self.sources[source].is_idle = true,
            Event::Queues { number, queues } => self.on_queues(number, queues),
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

    fn on_taken(&mut self, batch: Batch) {
        self.calls.end(batch.call);
        self.sources[batch.source].answered(batch.is_all);
        if !self.sources[batch.source].is_critical {
            self.let_through = self.let_through.saturating_sub(batch.tasks.len());
        } else if let Some(throttle) = &mut self.throttle {
            throttle.arrived(self.throughput.per_second());
            throttle.answered(batch.took);
        }
        if self.phase != Phase::Working {
            let path = Arc::clone(&self.path);
            let worker = self.worker;
            tokio::spawn(async move { puller::release(&*path, worker, batch.tasks).await });
            return;
        }
        batch.tasks.into_iter().for_each(|task| self.admit(task));
    }

    /// Lets a taken task run, or ends it here.
    fn admit(&mut self, taken: TakenTask) {
        let queue = taken.claimed.queue;
        self.arbiter.took(queue);
        let is_poison = taken.is_poison;
        let job = Job::new(taken);
        let end = if is_poison {
            let text = format!("{} workers died while they ran it", job.crashes);
            let failure = Failure::new(ErrorClass::Other, text);
            Some(Outcome::Dead { reason: DeadReason::Poison, failure })
        } else if job.task.expires_at <= Timestamp::now() {
            let failure = Failure::new(ErrorClass::Timeout, job.task.lateness());
            Some(Outcome::Dead { reason: DeadReason::Expired, failure })
        } else if self.paused.contains(&queue) {
            // It was under way when the pause came.
            Some(Outcome::Released)
        } else if self.is_here_already(&job) {
            Some(put_off(&job))
        } else {
            self.unhandled(queue, &job.task)
        };
        match end {
            Some(outcome) => {
                self.arbiter.freed(queue);
                self.record(Ended { job: Arc::new(job), outcome, spans: None });
            }
            None => self.run_queue.push(job),
        }
    }

    /// Whether the worker has this task already, by an earlier claim. That claim has ended, as this later one
    /// shows: the worker's lease was over, though the worker lives. So the earlier run is told to stop.
    fn is_here_already(&self, job: &Job) -> bool {
        // A task with which no worker died was not claimed before: the run queue need not be searched.
        let earlier = if job.crashes > 0 { self.here(job.task.id) } else { None };
        earlier.inspect(|earlier| earlier.stop(Stop::Lost)).is_some()
    }

    pub(super) fn start_all(&mut self) {
        while let Some(mut job) = self.run_queue.next(|queue| self.slots.is_open(queue)) {
            if job.stopped() == Some(Stop::Cancelled) {
                self.arbiter.freed(job.queue());
                self.settle(Arc::new(job), Outcome::Cancelled);
            } else {
                job.trace = self.tracer.attempt(&job.task, job.claimed.token);
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
        self.look_for_queues(orders.queues);
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
        let hung = self.running.values().map(|(_, job)| self.given_up_at(job));
        let phase = match self.phase {
            Phase::Working => None,
            Phase::Finishing { until } | Phase::Leaving { until } => Some(until),
        };
        let waiting = self.run_queue.oldest().map(|since| since + self.settings.hold);
        hung.chain(waiting).chain(phase).chain(self.next_opening()).min()
    }

    pub fn on_time(&mut self) {
        let now = Instant::now();
        let hold = self.settings.hold;
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
        let spans = Spans::of(&job);
        self.record(Ended { job, outcome, spans });
    }

    fn record(&self, ended: Ended) {
        // There is room for every taken task: see `settles`. A refused outcome would only mean that the task
        // runs again.
        if !self.outcomes.try_send(ended) {
            tracing::error!("the settler is gone; a task will run again");
        }
    }
}

/// Until a message comes back whose task still runs here.
const AGAIN: Duration = Duration::from_millis(250);

/// A second run beside the first one must not be. The message comes back when that has ended, or has been
/// told to.
fn put_off(job: &Job) -> Outcome {
    match job.task.to_message() {
        Ok(message) => Outcome::PutOff { message, at: Timestamp::now() + AGAIN },
        Err(_) => Outcome::Released,
    }
}

/// Sleeps until `alarm`, or for ever.
pub(super) async fn alarm(alarm: Option<Instant>) {
    match alarm {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
