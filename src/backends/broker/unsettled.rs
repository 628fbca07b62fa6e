//! The unsettled deliveries of this process, and which of those that a server counts as delivered to it are
//! lost.
//!
//! Guarantees: a delivery is known from its arrival until it is settled, for as long as a copy of its receipt
//! lives; one that is unknown in two comparisons in turn, and was not on its way at the first, is lost. Never
//! does: talk to a server.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::Receipt;
use clawpool_core::task::{ProcessId, Queue, TaskId};

/// The deliveries that this process holds, each for as long as a copy of its receipt lives.
#[derive(Default)]
pub(crate) struct UnsettledDeliveries(Mutex<HashMap<Key, Weak<()>>>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    worker: ProcessId,
    id: TaskId,
    generation: u32,
    queue: Queue,
    tag: u64,
}

fn key(receipt: &Receipt) -> Key {
    Key {
        worker: receipt.worker,
        id: receipt.id,
        generation: receipt.generation,
        queue: receipt.queue,
        tag: receipt.tag,
    }
}

impl UnsettledDeliveries {
    pub(crate) fn add<'a>(&self, receipts: impl IntoIterator<Item = &'a Receipt>) {
        self.lock()
            .extend(receipts.into_iter().map(|receipt| (key(receipt), Arc::downgrade(&receipt.alive))));
    }

    pub(crate) fn remove(&self, receipts: &[Receipt]) {
        let mut known = self.lock();
        for receipt in receipts {
            known.remove(&key(receipt));
        }
    }

    pub(crate) fn contains(&self, receipt: &Receipt) -> bool {
        self.lock().get(&key(receipt)).is_some_and(is_alive)
    }

    /// The queues of all that a worker holds, one for each delivery.
    pub(crate) fn queues(&self, worker: ProcessId) -> Vec<Queue> {
        self.lock().keys().filter(|key| key.worker == worker).map(|key| key.queue).collect()
    }

    /// Forgets deliveries whose last receipt was dropped. Returns whether there were any.
    pub(crate) fn forget_abandoned(&self, worker: ProcessId) -> bool {
        let mut known = self.lock();
        let before = known.len();
        known.retain(|key, alive| key.worker != worker || is_alive(alive));
        known.len() < before
    }

    /// The map is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_alive(alive: &Weak<()>) -> bool {
    alive.strong_count() > 0
}

/// Deliveries that a server counts and this process does not know, each with the moment when it was first
/// found so.
pub(crate) struct UnknownDeliveries<K>(Mutex<HashMap<ProcessId, HashMap<K, u64>>>);

impl<K> Default for UnknownDeliveries<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> UnknownDeliveries<K> {
    /// Which of the `unknown` are lost: those that were unknown in the last comparison too, provided that all
    /// answers that were on their way when they were first found have arrived by now. Moments are numbers
    /// that the caller counts up: it is `now`, and the answers that are on their way were asked for at
    /// `oldest` or later.
    pub(crate) fn lost(
        &self,
        worker: ProcessId,
        unknown: impl IntoIterator<Item = K>,
        now: u64,
        oldest: u64,
    ) -> Vec<K> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.remove(&worker).unwrap_or_default();
        let mut lost = Vec::new();
        let mut suspected = HashMap::new();
        for key in unknown {
            match before.get(&key).copied() {
                Some(found) if oldest >= found => lost.push(key),
                found => drop(suspected.insert(key, found.unwrap_or(now))),
            }
        }
        if !suspected.is_empty() {
            all.insert(worker, suspected);
        }
        lost
    }

    pub(crate) fn any(&self, worker: ProcessId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::task::Queue;

    fn receipt(worker: ProcessId) -> Receipt {
        let queue = Queue::P0;
        let id = TaskId::new();
        Receipt { queue, worker, id, generation: 0, channel: 0, tag: 0, alive: Arc::default() }
    }

    #[test]
    fn a_delivery_is_known_for_as_long_as_a_copy_of_its_receipt_lives() {
        let known = UnsettledDeliveries::default();
        let worker = ProcessId::new();
        let kept = receipt(worker);
        let dropped = receipt(worker);
        known.add([&kept, &dropped]);
        let copy = kept.clone();
        let other = Receipt { alive: Arc::default(), ..dropped };
        drop((kept, dropped));
        assert!(known.contains(&copy) && !known.contains(&other));
        assert!(known.forget_abandoned(worker) && !known.forget_abandoned(worker));
        assert_eq!(known.queues(worker).len(), 1);
        known.remove(std::slice::from_ref(&copy));
        assert!(!known.contains(&copy));
    }

    #[test]
    fn only_a_delivery_unknown_twice_in_turn_is_lost() {
        let unknown = UnknownDeliveries::<u64>::default();
        let worker = ProcessId::new();
        assert!(unknown.lost(worker, [1, 2], 0, 0).is_empty());
        assert!(
            unknown.lost(ProcessId::new(), [1, 2], 0, 0).is_empty(),
            "each worker is compared on its own"
        );
        assert_eq!(unknown.lost(worker, [2, 3], 0, 0), [2]);
        assert!(unknown.lost(worker, [], 0, 0).is_empty() && !unknown.any(worker));
        assert!(unknown.lost(worker, [3], 0, 0).is_empty(), "it was known in between");
    }

    #[test]
    fn a_delivery_that_may_be_on_its_way_is_not_lost() {
        let unknown = UnknownDeliveries::<u64>::default();
        let worker = ProcessId::new();
        // The answer to request 4 is on its way at the first comparison, made before request 5.
        assert_eq!(unknown.lost(worker, [1], 5, 4), Vec::<u64>::new());
        assert_eq!(unknown.lost(worker, [1], 7, 4), Vec::<u64>::new(), "its answer may come yet");
        assert_eq!(unknown.lost(worker, [1], 9, 8), [1], "number 4 has ended, and did not bring it");
    }
}
