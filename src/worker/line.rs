use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::job::Job;
use crate::task::{Queue, TaskId};

/// Claimed tasks that wait for a slot, which is moments: the claim of the next ones is under way while these run. P0 and
/// P1 go first, the rest in the order of their claims.
#[derive(Debug, Default)]
pub(super) struct Line([VecDeque<(Instant, Job)>; Queue::ALL.len()]);

impl Line {
    pub fn join(&mut self, job: Job) {
        self.0[job.queue().index()].push_back((Instant::now(), job));
    }

    /// The next task, of queues that have an `open` slot.
    pub fn next(&mut self, open: impl Fn(Queue) -> bool) -> Option<Job> {
        let waits = |queue: &Queue| !self.0[queue.index()].is_empty() && open(*queue);
        let critical = Queue::ALL.into_iter().find(|queue| queue.is_critical() && waits(queue));
        let since = |queue: &Queue| self.0[queue.index()].front().map(|(since, _)| *since);
        let queue = critical.or_else(|| Queue::ALL.into_iter().filter(waits).min_by_key(since))?;
        self.0[queue.index()].pop_front().map(|(_, job)| job)
    }

    pub fn waiting(&self, queue: Queue) -> usize {
        self.0[queue.index()].len()
    }

    pub fn find(&self, id: TaskId) -> Option<&Job> {
        self.0.iter().flatten().map(|(_, job)| job).find(|job| job.task.id == id)
    }

    pub fn oldest(&self) -> Option<Instant> {
        self.0.iter().filter_map(|waiting| waiting.front()).map(|(since, _)| *since).min()
    }

    /// Those who have waited for `span`; with zero, everybody.
    pub fn leave(&mut self, span: Duration) -> Vec<Job> {
        let now = Instant::now();
        let stale = |waiting: &mut VecDeque<(Instant, Job)>| {
            let count = waiting.iter().take_while(|(since, _)| *since + span <= now).count();
            waiting.drain(..count).map(|(_, job)| job).collect::<Vec<_>>()
        };
        self.0.iter_mut().flat_map(stale).collect()
    }
}
