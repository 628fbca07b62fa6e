use std::{collections::HashMap, time::Duration};

use clawpool_backends::store::{Done, WorkerInfo};
use clawpool_core::task::ProcessId;

/// Older tasks count half as much after this long.
const HALF_LIFE: f64 = 60.0;
/// What a worker did before it was first seen counts as this many tasks at most: it may be long ago.
const FIRST: f64 = 10.0;

/// How long a task runs, from what workers say they have done.
#[derive(Default)]
pub(super) struct ServiceTime {
    seen: HashMap<ProcessId, Done>,
    tasks: f64,
    run: f64,
    last: Duration,
}

impl ServiceTime {
    pub(super) fn observe<'a>(&mut self, now: Duration, workers: impl Iterator<Item = &'a WorkerInfo>) {
        let fade = 0.5_f64.powf(now.saturating_sub(self.last).as_secs_f64() / HALF_LIFE);
        self.tasks *= fade;
        self.run *= fade;
        self.last = now;
        let before = std::mem::take(&mut self.seen);
        for (worker, done) in workers.map(|worker| (worker.beat.worker, worker.beat.done)) {
            let (tasks, run) = match before.get(&worker) {
                Some(before) => (
                    done.tasks.saturating_sub(before.tasks) as f64,
                    done.run.saturating_sub(before.run).as_secs_f64(),
                ),
                None => {
                    let counted = (done.tasks as f64).min(FIRST);
                    (counted, done.run.as_secs_f64() * counted / (done.tasks as f64).max(1.0))
                }
            };
            self.tasks += tasks;
            self.run += run;
            self.seen.insert(worker, done);
        }
    }

    /// The mean; absent before a task has ended.
    pub(super) fn time(&self) -> Option<Duration> {
        (self.tasks > 0.0).then(|| Duration::try_from_secs_f64(self.run / self.tasks).ok())?
    }
}
