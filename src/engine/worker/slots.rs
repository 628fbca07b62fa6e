use std::{sync::Arc, time::Duration};

use tokio::{runtime::Runtime, sync::mpsc};

use super::{Progress, Registry, attempt, attempt_log::Logs, engine::Event, job::Job};
use clawpool_core::task::{ErrorClass, Failure, Queue};

/// The loops that run handlers, one for each slot, on a runtime of their own: a handler that blocks its
/// thread cannot keep the engine from fetching, settling or leaving.
pub(super) struct Slots {
    runtime: Option<Runtime>,
    slot: Slot,
    /// Each slot's door, and the slots that are free.
    doors: Vec<mpsc::Sender<Arc<Job>>>,
    free: Vec<usize>,
    /// Slots that others than P0 and P1 may still fill.
    unreserved: usize,
}

#[derive(Clone)]
struct Slot {
    registry: Arc<Registry>,
    progress: Progress,
    /// None where no logs are kept.
    logs: Option<Arc<Logs>>,
    stop_grace: Duration,
    events: mpsc::Sender<Event>,
}

impl Slots {
    pub fn new(
        slots: usize,
        unreserved: usize,
        registry: Arc<Registry>,
        progress: Progress,
        logs: Option<Arc<Logs>>,
        stop_grace: Duration,
        events: mpsc::Sender<Event>,
    ) -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(4, usize::from).max(4);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("handler")
            .worker_threads(threads)
            .enable_all()
            .build()?;
        let slot = Slot { registry, progress, logs, stop_grace, events };
        let doors = Vec::with_capacity(slots);
        let free = Vec::new();
        let mut all = Self { runtime: Some(runtime), slot, doors, free, unreserved };
        (0..slots).for_each(|_| all.open());
        Ok(all)
    }

    fn open(&mut self) {
        let (door, jobs) = mpsc::channel(1);
        self.free.push(self.doors.len());
        let index = self.doors.len();
        self.doors.push(door);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(self.slot.clone().serve(index, jobs));
        }
    }

    /// Whether a task of this queue may start now.
    pub fn is_open(&self, queue: Queue) -> bool {
        !self.free.is_empty() && (queue.is_critical() || self.unreserved > 0)
    }

    /// Starts a job in a free slot and says in which. `None` when there is none: see [`Slots::is_open`].
    pub fn start(&mut self, job: Arc<Job>) -> Option<usize> {
        let slot = self.free.pop()?;
        let queue = job.queue();
        self.doors[slot].try_send(job).ok()?;
        self.unreserved -= usize::from(!queue.is_critical());
        Some(slot)
    }

    pub fn freed(&mut self, slot: usize, queue: Queue) {
        self.free.push(slot);
        self.unreserved += usize::from(!queue.is_critical());
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Waiting for handlers that never yield would take for ever.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Slot {
    async fn serve(self, index: usize, mut jobs: mpsc::Receiver<Arc<Job>>) {
        while let Some(job) = jobs.recv().await {
            let result = match self.registry.find(&job.task.kind) {
                Some(handler) => {
                    let (progress, logs) = (self.progress.clone(), self.logs.as_ref());
                    attempt::run(handler, &job, progress, logs, self.stop_grace).await
                }
                None => Err(self.no_handler(&job)),
            };
            if self.events.send(Event::Finished { slot: index, job, result }).await.is_err() {
                return;
            }
        }
    }

    fn no_handler(&self, job: &Job) -> Failure {
        let known = self.registry.patterns().join(", ");
        let message = format!("CP-1501: this worker has no handler for {:?}; it has {known}", job.task.kind);
        Failure::new(ErrorClass::Other, message)
    }
}
