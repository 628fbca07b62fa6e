use std::collections::BTreeMap;

use clawpool_backends::path::{Want, Wants};
use clawpool_core::{config::WorkerSettings, task::Queue};

/// Decides which queue a free slot serves. Pure: it sees counts, never tasks.
///
/// The most urgent ready queue wins, with two exceptions (INV-4). Reserved slots take P0 and P1 alone, so a
/// flood of lower work never keeps them waiting for a slot. And a queue that was passed over as often as its
/// patience allows gets the next unreserved slot, so that none starves.
#[derive(Debug)]
pub struct Arbiter {
    slots: usize,
    reserved: usize,
    /// Tasks that may be claimed beyond the slots: see `Throughput::claims`.
    ahead: usize,
    patience: [Option<u32>; Queue::ALL.len()],
    passed: [u32; Queue::ALL.len()],
    running: [usize; Queue::ALL.len()],
}

impl Arbiter {
    /// All slots are free, and no queue was passed over.
    pub fn new(settings: &WorkerSettings) -> Self {
        Self {
            slots: settings.slots.into(),
            reserved: reserved(settings),
            ahead: 0,
            patience: patience(&settings.patience),
            passed: Default::default(),
            running: Default::default(),
        }
    }

    /// Slots that others than P0 and P1 may fill.
    pub const fn unreserved(&self) -> usize {
        self.slots - self.reserved
    }

    /// A worker that reserves slots claims nothing ahead: the load on the servers would slow its P0 and P1
    /// down.
    pub const fn set_ahead(&mut self, ahead: usize) {
        self.ahead = if self.reserved > 0 { 0 } else { ahead };
    }

    /// Slots that `queue` could fill now.
    pub fn room(&self, queue: Queue) -> usize {
        let running: usize = self.running.iter().sum();
        let free = (self.slots + self.ahead).saturating_sub(running);
        if queue.is_critical() {
            return free;
        }
        let others: usize = Queue::ALL
            .iter()
            .filter(|queue| !queue.is_critical())
            .map(|queue| self.running[queue.index()])
            .sum();
        free.min((self.slots - self.reserved + self.ahead).saturating_sub(others))
    }

    /// What a source of these queues, most urgent first, is asked for, `most` tasks at most. A queue whose
    /// patience is at an end comes first, with one task. Without `others`, a queue that is not P0's or P1's
    /// is asked only then.
    pub fn wants(&self, queues: impl Iterator<Item = Queue> + Clone, others: bool, most: usize) -> Wants {
        let with_room = |queue: Queue| (queue, self.room(queue));
        let rooms: Vec<(Queue, usize)> = queues.map(with_room).collect();
        let starved = rooms.iter().filter(|(queue, room)| *room > 0 && self.is_starved(*queue));
        let mut wants: Vec<Want> = starved.map(|(queue, _)| Want { queue: *queue, most: 1 }).collect();
        let is_open = |queue: Queue| queue.is_critical() || others && most > 0;
        let by_urgency = rooms
            .iter()
            .map(|(queue, room)| Want { queue: *queue, most: if is_open(*queue) { *room } else { 0 } });
        let first = wants.len();
        wants.extend(by_urgency);
        let open = wants[first..].iter().map(|want| want.most).max().unwrap_or_default();
        let total =
            open.min(most).max(first.min(rooms.iter().map(|(_, room)| *room).max().unwrap_or_default()));
        Wants { queues: wants, total, ahead: 0 }
    }

    fn is_starved(&self, queue: Queue) -> bool {
        self.patience[queue.index()].is_some_and(|patience| self.passed[queue.index()] >= patience)
    }

    /// A task of this queue fills a slot. Less urgent queues that could have filled it were passed over.
    pub fn took(&mut self, queue: Queue) {
        let lower = Queue::ALL.into_iter().filter(|other| *other > queue && self.room(*other) > 0);
        for other in lower.collect::<Vec<_>>() {
            self.passed[other.index()] = self.passed[other.index()].saturating_add(1);
        }
        self.passed[queue.index()] = 0;
        self.running[queue.index()] += 1;
    }

    /// A slot that served `queue` is free again.
    pub fn freed(&mut self, queue: Queue) {
        self.running[queue.index()] = self.running[queue.index()].saturating_sub(1);
    }

    /// Slots that `queue` fills.
    pub const fn running(&self, queue: Queue) -> usize {
        self.running[queue.index()]
    }
}

/// Reserved slots make sense only on a worker that serves P0 or P1, and never take its last slot for other
/// work.
fn reserved(settings: &WorkerSettings) -> usize {
    let critical = settings.queues.iter().any(|queue| queue.is_critical());
    let others = settings.queues.iter().any(|queue| !queue.is_critical());
    match (critical, others) {
        (true, true) => usize::from(settings.reserved).min(usize::from(settings.slots).saturating_sub(1)),
        _ => 0,
    }
}

fn patience(settings: &BTreeMap<Queue, u32>) -> [Option<u32>; Queue::ALL.len()] {
    Queue::ALL.map(|queue| settings.get(&queue).copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arbiter(slots: u16, reserved: u16) -> Arbiter {
        Arbiter::new(&WorkerSettings { slots, reserved, ..WorkerSettings::default() })
    }

    impl Arbiter {
        /// One task of what is `ready`, as a source of all queues hands it out.
        fn pick(&mut self, ready: impl Fn(Queue) -> bool, others: bool) -> Option<Queue> {
            let wants = self.wants(Queue::ALL.into_iter(), others, usize::MAX);
            let mut asked = wants.queues.iter().filter(|want| want.most > 0 && wants.total > 0);
            let picked = asked.find(|want| ready(want.queue))?.queue;
            self.took(picked);
            Some(picked)
        }
    }

    #[test]
    fn inv_4_lower_work_leaves_the_reserved_slots_to_p0_and_p1() {
        let mut arbiter = arbiter(4, 2);
        let flood = |queue| queue == Queue::Background;
        assert_eq!(arbiter.pick(flood, true), Some(Queue::Background));
        assert_eq!(arbiter.pick(flood, true), Some(Queue::Background));
        assert_eq!(arbiter.pick(flood, true), None, "only reserved slots are left");
        assert_eq!(arbiter.pick(|_| true, true), Some(Queue::P0));
        assert_eq!(arbiter.pick(|queue| queue >= Queue::P1, true), Some(Queue::P1));
        assert_eq!(arbiter.pick(|_| true, true), None);
    }

    #[test]
    fn a_worker_without_critical_queues_reserves_nothing() {
        let settings =
            WorkerSettings { slots: 2, reserved: 2, queues: vec![Queue::P4], ..WorkerSettings::default() };
        assert_eq!(Arbiter::new(&settings).room(Queue::P4), 2);
    }

    #[test]
    fn inv_4_a_worker_with_reserved_slots_claims_nothing_ahead() {
        let mut mixed = arbiter(4, 2);
        let mut plain = arbiter(4, 0);
        mixed.set_ahead(3);
        plain.set_ahead(3);
        assert_eq!((mixed.room(Queue::P0), mixed.room(Queue::P4)), (4, 2));
        assert_eq!((plain.room(Queue::P0), plain.room(Queue::P4)), (7, 7));
    }

    #[test]
    fn inv_4_while_others_yield_to_p0_they_still_do_not_starve() {
        let mut arbiter = arbiter(4, 1);
        let patience = arbiter.patience[Queue::P4.index()].unwrap();
        let ready = |queue: Queue| matches!(queue, Queue::P0 | Queue::P4);
        let mut picks = std::iter::from_fn(|| {
            let picked = arbiter.pick(ready, false)?;
            arbiter.freed(picked);
            Some(picked)
        });
        assert!(picks.by_ref().take(patience as usize).all(|queue| queue == Queue::P0));
        assert_eq!(picks.next(), Some(Queue::P4));
        assert_eq!(arbiter.pick(|queue| queue == Queue::P4, false), None, "it yields again");
    }

    proptest! {
        #[test]
        fn inv_4_no_ready_queue_with_patience_starves(picks in 200usize..600) {
            let mut arbiter = arbiter(4, 1);
            let mut since = [0u32; Queue::ALL.len()];
            for _ in 0..picks {
                let picked = arbiter.pick(|_| true, true).unwrap();
                for queue in Queue::ALL {
                    since[queue.index()] += 1;
                }
                since[picked.index()] = 0;
                arbiter.freed(picked);
                for queue in [Queue::High, Queue::P4, Queue::P5, Queue::Background] {
                    // Its own patience, and one turn for each other queue that may be just as starved.
                    let most = arbiter.patience[queue.index()].unwrap() + 4;
                    let waited = since[queue.index()];
                    prop_assert!(waited <= most, "{queue} waited {waited} picks");
                }
            }
        }

        #[test]
        fn never_more_than_the_slots(steps in prop::collection::vec((any::<u8>(), any::<bool>()), 0..200),
        reserved in 0u16..8) {
            let mut arbiter = arbiter(5, reserved);
            let mut held = Vec::new();
            for (ready, free) in steps {
                if free && let Some(queue) = held.pop() {
                    arbiter.freed(queue);
                } else if let Some(queue) = arbiter.pick(|queue| ready >> queue.index() & 1 == 1, true) {
                    prop_assert!(ready >> queue.index() & 1 == 1);
                    held.push(queue);
                }
                prop_assert!(held.len() <= 5);
                let others = held.iter().filter(|queue| !queue.is_critical()).count();
                prop_assert!(others <= 5 - usize::from(reserved.min(4)));
            }
        }
    }
}
