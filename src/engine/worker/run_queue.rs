use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::job::Job;
use clawpool_core::task::{Queue, TaskId};

/// Claimed tasks that wait for a slot, which is moments: the claim of the next ones is under way while these
/// run. P0 and P1 go first, the rest in the order of their claims. A queue is there while something waits.
#[derive(Debug, Default)]
pub(super) struct RunQueue(BTreeMap<Queue, VecDeque<(Instant, Job)>>);

impl RunQueue {
    pub fn push(&mut self, job: Job) {
        self.0.entry(job.queue()).or_default().push_back((Instant::now(), job));
    }

    /// The next task, of queues that have an `open` slot.
    pub fn next(&mut self, open: impl Fn(Queue) -> bool) -> Option<Job> {
        let open = |queue: &Queue| open(*queue);
        // Most urgent first.
        let critical = self.0.keys().copied().find(|queue| queue.is_critical() && open(queue));
        let queue = critical.or_else(|| {
            let since =
                |(_, waiting): &(&Queue, &VecDeque<(Instant, Job)>)| waiting.front().map(|(at, _)| *at);
            let waiting = self.0.iter().filter(|(queue, _)| open(queue));
            waiting.min_by_key(since).map(|(queue, _)| *queue)
        })?;
        let waiting = self.0.get_mut(&queue)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.0.remove(&queue);
        }
        next.map(|(_, job)| job)
    }

    pub fn waiting(&self, queue: Queue) -> usize {
        self.0.get(&queue).map_or(0, VecDeque::len)
    }

    pub fn find(&self, id: TaskId) -> Option<&Job> {
        self.0.values().flatten().map(|(_, job)| job).find(|job| job.task.id == id)
    }

    pub fn oldest(&self) -> Option<Instant> {
        self.0.values().filter_map(|waiting| waiting.front()).map(|(since, _)| *since).min()
    }

    /// Those of one queue.
    pub fn take_queue(&mut self, queue: Queue) -> Vec<Job> {
        self.0.remove(&queue).into_iter().flatten().map(|(_, job)| job).collect()
    }

    /// Those that have waited for `span`; with zero, all.
    pub fn take_older(&mut self, span: Duration) -> Vec<Job> {
        let now = Instant::now();
        let stale = |waiting: &mut VecDeque<(Instant, Job)>| {
            let count = waiting.iter().take_while(|(since, _)| *since + span <= now).count();
            waiting.drain(..count).map(|(_, job)| job).collect::<Vec<_>>()
        };
        let late = self.0.values_mut().flat_map(stale).collect();
        self.0.retain(|_, waiting| !waiting.is_empty());
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::path::conformance::taken;
    use clawpool_core::task::Priority;

    fn job(priority: Priority) -> Job {
        Job::new(taken(priority))
    }

    #[tokio::test(start_paused = true)]
    async fn inv_4_p0_and_p1_go_first_and_the_rest_as_claimed() {
        let mut waiting = RunQueue::default();
        for priority in [Priority::P6, Priority::P4, Priority::P1, Priority::P0] {
            waiting.push(job(priority));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let mut order = Vec::new();
        while let Some(job) = waiting.next(|_| true) {
            order.push(job.queue());
        }
        assert_eq!(order, [Queue::P0, Queue::P1, Queue::P6, Queue::P4]);
    }

    #[test]
    fn who_has_no_open_slot_waits() {
        let mut waiting = RunQueue::default();
        waiting.push(job(Priority::P4));
        assert!(waiting.next(|queue| queue.is_critical()).is_none());
        assert_eq!(waiting.waiting(Queue::P4), 1);
        let first = waiting.next(|_| true).unwrap();
        assert!(waiting.find(first.task.id).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn inv_8_those_who_waited_too_long_leave_and_with_zero_everybody() {
        let mut waiting = RunQueue::default();
        waiting.push(job(Priority::P4));
        tokio::time::advance(Duration::from_millis(100)).await;
        waiting.push(job(Priority::P4));
        assert_eq!(waiting.take_older(Duration::from_millis(100)).len(), 1);
        assert_eq!(waiting.take_older(Duration::ZERO).len(), 1);
        assert!(waiting.oldest().is_none());
    }
}
