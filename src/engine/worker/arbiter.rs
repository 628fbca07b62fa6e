use std::collections::HashMap;

use clawpool_backends::path::{Want, Wants};
use clawpool_core::{
    config::WorkerSettings,
    task::{Priority, Queue},
};

/// Decides which queue a free slot serves. Pure: it sees counts, never tasks.
///
/// The most urgent ready queue wins, and queues of one priority take turns, with two exceptions (INV-4).
/// Reserved slots take P0 and P1 alone, so a flood of lower work never keeps them waiting for a slot. And a
/// queue that was passed over as often as its patience allows gets the next unreserved slot, so that none
/// starves.
#[derive(Debug)]
pub struct Arbiter {
    settings: WorkerSettings,
    slots: usize,
    reserved: usize,
    /// Tasks that may be claimed beyond the slots: see `Throughput::claims`.
    ahead: usize,
    /// How often each priority was passed over.
    passed: [u64; Priority::ALL.len()],
    /// Tasks that were taken.
    turns: u64,
    queues: HashMap<Queue, State>,
    critical: usize,
    others: usize,
}

/// Of one queue.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    patience: Option<u32>,
    running: usize,
    /// `passed` of its priority as its latest task was taken.
    passed: u64,
    /// `turns` then.
    turn: u64,
}

impl Arbiter {
    /// For a worker that serves these queues, and may serve others later. All slots are free, and no queue
    /// was passed over.
    pub fn new(settings: &WorkerSettings, served: &[Queue]) -> Self {
        let mut arbiter = Self {
            settings: settings.clone(),
            slots: settings.slots.into(),
            reserved: reserved(settings, served),
            ahead: 0,
            passed: Default::default(),
            turns: 0,
            queues: HashMap::new(),
            critical: 0,
            others: 0,
        };
        served.iter().for_each(|queue| _ = arbiter.state(*queue));
        arbiter
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
    pub const fn room(&self, queue: Queue) -> usize {
        let free = (self.slots + self.ahead).saturating_sub(self.critical + self.others);
        if queue.is_critical() {
            return free;
        }
        let unreserved = (self.slots - self.reserved + self.ahead).saturating_sub(self.others);
        if free < unreserved { free } else { unreserved }
    }

    /// What a source of these queues, most urgent first, is asked for, `most` tasks at most. The queues of
    /// one priority share what there is room for, the one that waited longest for its turn first. A queue
    /// whose patience is at an end comes before all, with one task. Without `others`, a queue that is not
    /// P0's or P1's is asked only then.
    pub fn wants(&self, queues: impl Iterator<Item = Queue>, others: bool, most: usize) -> Wants {
        let mut queues: Vec<(Queue, State)> =
            queues.map(|queue| (queue, self.queues.get(&queue).copied().unwrap_or_default())).collect();
        queues.sort_by_key(|(queue, state)| (queue.priority(), state.turn));
        let mut starved = Vec::new();
        let mut wants = Vec::with_capacity(2 * queues.len());
        let mut open = 0;
        let mut roomiest = 0;
        for group in queues.chunk_by(|one, other| one.0.priority() == other.0.priority()) {
            let (first, _) = group[0];
            let room = self.room(first);
            roomiest = roomiest.max(room);
            if room > 0
                && let Some((queue, _)) = group.iter().find(|(queue, state)| self.is_starved(*queue, state))
            {
                starved.push(Want { queue: *queue, most: 1 });
            }
            let is_open = first.is_critical() || others && most > 0;
            let room = if is_open { room } else { 0 };
            open = open.max(room);
            if group.len() > 1 {
                let share = room.div_ceil(group.len());
                wants.extend(group.iter().map(|(queue, _)| Want { queue: *queue, most: share }));
            }
            wants.extend(group.iter().map(|(queue, _)| Want { queue: *queue, most: room }));
        }
        let total = open.min(most).max(starved.len().min(roomiest));
        starved.append(&mut wants);
        Wants { queues: starved, total, ahead: 0 }
    }

    fn is_starved(&self, queue: Queue, state: &State) -> bool {
        let passed = self.passed[queue.priority().index()] - state.passed;
        state.patience.is_some_and(|patience| passed >= patience.into())
    }

    /// A task of this queue fills a slot. Less urgent priorities that could have filled it were passed over.
    pub fn took(&mut self, queue: Queue) {
        let lower = Priority::ALL.into_iter().filter(|other| *other > queue.priority());
        for other in lower.filter(|other| self.room(other.queue()) > 0).collect::<Vec<_>>() {
            self.passed[other.index()] += 1;
        }
        self.turns += 1;
        let turn = self.turns;
        let passed = self.passed[queue.priority().index()];
        let state = self.state(queue);
        state.passed = passed;
        state.turn = turn;
        state.running += 1;
        *self.sum(queue) += 1;
    }

    /// A slot that served `queue` is free again.
    pub fn freed(&mut self, queue: Queue) {
        let state = self.state(queue);
        if state.running > 0 {
            state.running -= 1;
            *self.sum(queue) -= 1;
        }
    }

    /// The queues that fill slots, and how many.
    pub fn running(&self) -> impl Iterator<Item = (Queue, usize)> {
        let busy = self.queues.iter().filter(|(_, state)| state.running > 0);
        busy.map(|(queue, state)| (*queue, state.running))
    }

    const fn sum(&mut self, queue: Queue) -> &mut usize {
        if queue.is_critical() { &mut self.critical } else { &mut self.others }
    }

    /// A queue that is new has not been passed over.
    fn state(&mut self, queue: Queue) -> &mut State {
        let passed = self.passed[queue.priority().index()];
        let settings = &self.settings;
        let new = || State { patience: settings.patience_of(queue), running: 0, passed, turn: 0 };
        self.queues.entry(queue).or_insert_with(new)
    }
}

/// Reserved slots make sense only on a worker that serves P0 or P1, and never take its last slot for other
/// work.
fn reserved(settings: &WorkerSettings, served: &[Queue]) -> usize {
    let critical = served.iter().any(|queue| queue.is_critical());
    let others = served.iter().any(|queue| !queue.is_critical());
    match (critical, others) {
        (true, true) => usize::from(settings.reserved).min(usize::from(settings.slots).saturating_sub(1)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use clawpool_core::task::Lane;
    use proptest::prelude::*;

    use super::*;

    fn arbiter(slots: u16, reserved: u16) -> Arbiter {
        Arbiter::new(&WorkerSettings { slots, reserved, ..WorkerSettings::default() }, &Queue::CLASSES)
    }

    impl Arbiter {
        /// One task of what is `ready` of these, as a source of them hands it out.
        fn pick_of(
            &mut self,
            queues: &[Queue],
            ready: impl Fn(Queue) -> bool,
            others: bool,
        ) -> Option<Queue> {
            let wants = self.wants(queues.iter().copied(), others, usize::MAX);
            let mut asked = wants.queues.iter().filter(|want| want.most > 0 && wants.total > 0);
            let picked = asked.find(|want| ready(want.queue))?.queue;
            self.took(picked);
            Some(picked)
        }

        fn pick(&mut self, ready: impl Fn(Queue) -> bool, others: bool) -> Option<Queue> {
            self.pick_of(&Queue::CLASSES, ready, others)
        }
    }

    #[test]
    fn inv_4_lower_work_leaves_the_reserved_slots_to_p0_and_p1() {
        let mut arbiter = arbiter(4, 2);
        let flood = |queue| queue == Queue::P6;
        assert_eq!(arbiter.pick(flood, true), Some(Queue::P6));
        assert_eq!(arbiter.pick(flood, true), Some(Queue::P6));
        assert_eq!(arbiter.pick(flood, true), None, "only reserved slots are left");
        assert_eq!(arbiter.pick(|_| true, true), Some(Queue::P0));
        assert_eq!(arbiter.pick(|queue| queue >= Queue::P1, true), Some(Queue::P1));
        assert_eq!(arbiter.pick(|_| true, true), None);
    }

    #[test]
    fn a_worker_without_critical_queues_reserves_nothing() {
        let settings = WorkerSettings { slots: 2, reserved: 2, ..WorkerSettings::default() };
        assert_eq!(Arbiter::new(&settings, &[Queue::P4]).room(Queue::P4), 2);
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
        let patience = arbiter.settings.patience_of(Queue::P4).unwrap();
        let ready = |queue: Queue| queue == Queue::P0 || queue == Queue::P4;
        let mut picks = std::iter::from_fn(|| {
            let picked = arbiter.pick(ready, false)?;
            arbiter.freed(picked);
            Some(picked)
        });
        assert!(picks.by_ref().take(patience as usize).all(|queue| queue == Queue::P0));
        assert_eq!(picks.next(), Some(Queue::P4));
        assert_eq!(arbiter.pick(|queue| queue == Queue::P4, false), None, "it yields again");
    }

    fn own(name: &str, priority: Priority) -> Queue {
        Queue::new(name, priority, Lane::of(priority)).unwrap()
    }

    #[test]
    fn queues_of_one_priority_take_turns() {
        let queues = [Queue::P3, own("browser.a", Priority::P3), own("browser.b", Priority::P3)];
        let mut arbiter = arbiter(4, 0);
        let mut picked = Vec::new();
        for _ in 0..9 {
            let queue = arbiter.pick_of(&queues, |_| true, true).unwrap();
            arbiter.freed(queue);
            picked.push(queue);
        }
        for turns in picked.chunks(3) {
            assert!(queues.iter().all(|queue| turns.contains(queue)), "{turns:?}");
        }
    }

    #[test]
    fn queues_of_one_priority_share_the_slots_of_one_take() {
        let queues = [own("tenant.a", Priority::P4), own("tenant.b", Priority::P4)];
        let wants = arbiter(10, 0).wants(queues.into_iter(), true, usize::MAX);
        let most: Vec<_> = wants.queues.iter().map(|want| want.most).collect();
        assert_eq!((most, wants.total), (vec![5, 5, 10, 10], 10), "what one leaves the other may have");
    }

    proptest! {
        #[test]
        fn inv_4_no_ready_queue_with_patience_starves(picks in 200usize..600) {
            let mut arbiter = arbiter(4, 1);
            let mut since = HashMap::<Queue, u32>::new();
            for _ in 0..picks {
                let picked = arbiter.pick(|_| true, true).unwrap();
                for queue in Queue::CLASSES {
                    *since.entry(queue).or_default() += 1;
                }
                since.insert(picked, 0);
                arbiter.freed(picked);
                for queue in [Queue::P2, Queue::P3, Queue::P4, Queue::P5, Queue::P6] {
                    // Its own patience, and one turn for each other queue that may be just as starved.
                    let most = arbiter.settings.patience_of(queue).unwrap() + 5;
                    let waited = since[&queue];
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
                let is_ready = |queue: Queue| ready >> queue.priority().index() & 1 == 1;
                if free && let Some(queue) = held.pop() {
                    arbiter.freed(queue);
                } else if let Some(queue) = arbiter.pick(is_ready, true) {
                    prop_assert!(is_ready(queue));
                    held.push(queue);
                }
                prop_assert!(held.len() <= 5);
                let others = held.iter().filter(|queue| !queue.is_critical()).count();
                prop_assert!(others <= 5 - usize::from(reserved.min(4)));
            }
        }
    }
}
