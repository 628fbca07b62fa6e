use clawpool_backends::store::{Beat, Totals};

/// What the pool does, and what it has done since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Workers that are alive.
    pub workers: u64,
    /// Tasks that they run.
    pub running: u64,
    pub completed: u64,
    /// Attempts that were retried, and tasks that became dead letters.
    pub failed: u64,
    /// Tasks that became dead letters.
    pub dead: u64,
}

impl Workload {
    pub(super) fn new(totals: &Totals, living: &[&Beat]) -> Self {
        let running = living.iter().flat_map(|beat| &beat.running).copied().map(u64::from).sum();
        let mut workload = Self { workers: living.len() as u64, running, ..Self::default() };
        for queue in totals.values() {
            workload.completed += queue.completed;
            workload.failed += queue.retried + queue.dead;
            workload.dead += queue.dead;
        }
        workload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::QueueTotals;
    use clawpool_core::task::Queue;

    #[test]
    fn all_queues_and_all_workers_come_together() {
        let of =
            |completed, retried, dead| QueueTotals { completed, retried, dead, ..QueueTotals::default() };
        let totals = Totals::from([(Queue::P0, of(5, 2, 1)), (Queue::P4, of(7, 0, 3))]);
        let workload = Workload::new(&totals, &[]);
        assert_eq!(workload, Workload { completed: 12, failed: 6, dead: 4, ..Workload::default() });
    }
}
