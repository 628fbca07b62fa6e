use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    WorkerError,
    demand::SourceOrders,
    engine::Engine,
    job::{Job, Stop},
    outcome,
};
use clawpool_core::task::{ErrorClass, Failure, Outcome, Queue, TaskId};

/// The two phases of a stop: running tasks may finish, then they are told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    Finishing { until: Instant },
    Leaving { until: Instant },
}

/// How a worker ends, and how it gives up on a handler that does not.
impl Engine {
    /// First phase: take nothing new, give back what has not started, let the rest finish.
    pub fn drain(&mut self) {
        if self.phase != Phase::Working {
            return;
        }
        tracing::info!(running = self.running.len(), grace = ?self.settings.grace, "draining");
        self.phase = Phase::Finishing { until: Instant::now() + self.settings.grace };
        self.vitals.set_draining();
        self.stop_claims.cancel();
        self.sources.iter_mut().for_each(SourceOrders::close);
        self.release_waiting(Duration::ZERO);
    }

    /// Nothing of these queues starts any more; what was taken of them goes back.
    pub fn pause(&mut self, queues: Vec<Queue>) {
        self.paused = queues;
        for queue in self.paused.clone() {
            let claimed = self.run_queue.take_queue(queue);
            self.release(claimed);
        }
        self.vitals.set_paused(&self.paused);
    }

    /// Leaves without being asked: the program that started the worker must not take this for its regular
    /// end.
    pub fn fail(&mut self, why: WorkerError) {
        tracing::error!(code = why.code(), "{why}");
        self.failed.get_or_insert(why);
        self.drain();
    }

    /// Claims that found no slot for `span` are taken back, as if they never were.
    pub fn release_waiting(&mut self, span: Duration) {
        let late = self.run_queue.take_older(span);
        self.release(late);
    }

    /// Claimed tasks that do not start here go back, as if they had not been claimed.
    pub fn release(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            self.arbiter.freed(job.queue());
            self.settle(Arc::new(job), Outcome::Released);
        }
    }

    pub fn is_done(&self) -> bool {
        self.phase != Phase::Working
            && self.running.is_empty()
            && self.run_queue.oldest().is_none()
            && !self.calls.any()
    }

    /// Second phase: what still runs is told to stop.
    pub fn tell_to_leave(&mut self) {
        tracing::warn!(running = self.running.len(), "running tasks are told to stop");
        self.phase = Phase::Leaving { until: Instant::now() + self.settings.stop_grace };
        self.running.values().for_each(|(_, job)| job.stop(Stop::Leaving));
    }

    /// Past the second phase: what did not stop goes back to its queue, without an attempt (INV-8).
    pub fn release_all(&mut self) {
        let jobs: Vec<Arc<Job>> = self.running.drain().map(|(_, (_, job))| job).collect();
        jobs.into_iter().for_each(|job| self.settle(job, Outcome::Released));
    }

    /// A handler that did not end long after it was told to has lost its thread. Its attempt failed; its slot
    /// stays taken, and the worker leaves so that a fresh one can replace it.
    pub fn abandon(&mut self, id: TaskId) {
        if let Some((_, job)) = self.running.remove(&id) {
            tracing::error!(code = "CP-1502", %id, kind = job.task.kind, "a handler hangs; the worker \
                leaves to be replaced");
            let why =
                format!("the handler hung: it ran past its {:?} and could not be stopped", job.task.timeout);
            let failure = Failure::new(ErrorClass::Timeout, why);
            let outcome = outcome::of(&job, Err(failure), &self.retries, self.result_limit);
            self.settle(job, outcome);
            self.fail(WorkerError::Hung);
        }
    }

    pub fn given_up_at(&self, job: &Job) -> Instant {
        job.deadline + self.settings.stop_grace * 2 + Duration::from_secs(1)
    }
}
