//! Which deliveries this process knows of, and which of those that a server counts as its own are lost.
//!
//! Guarantees: a delivery is known from its arrival until it is settled, for as long as a copy of its receipt lives; one
//! that is unknown at two looks in turn, and was not on its way at the first, is lost. Never does: talk to a server.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::Receipt;
use clawpool_core::task::{TaskId, WorkerId};

/// The deliveries that this process knows that it holds.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<Name, Weak<()>>>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name {
    worker: WorkerId,
    id: TaskId,
    generation: u32,
    tag: u64,
}

fn name(receipt: &Receipt) -> Name {
    Name { worker: receipt.worker, id: receipt.id, generation: receipt.generation, tag: receipt.tag }
}

impl Known {
    pub(super) fn add<'a>(&self, receipts: impl IntoIterator<Item = &'a Receipt>) {
        self.lock().extend(receipts.into_iter().map(|receipt| (name(receipt), Arc::downgrade(&receipt.known))));
    }

    pub(super) fn remove(&self, receipts: &[Receipt]) {
        let mut known = self.lock();
        for receipt in receipts {
            known.remove(&name(receipt));
        }
    }

    pub(super) fn contains(&self, receipt: &Receipt) -> bool {
        self.lock().get(&name(receipt)).is_some_and(is_alive)
    }

    /// The tags of all that a worker is known to hold.
    pub(super) fn tags(&self, worker: WorkerId) -> Vec<u64> {
        self.lock().keys().filter(|name| name.worker == worker).map(|name| name.tag).collect()
    }

    /// Forgets what nobody has a receipt of any more. Whether there was any.
    pub(super) fn forget(&self, worker: WorkerId) -> bool {
        let mut known = self.lock();
        let before = known.len();
        known.retain(|name, alive| name.worker != worker || is_alive(alive));
        known.len() < before
    }

    /// The map is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Weak<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_alive(known: &Weak<()>) -> bool {
    known.strong_count() > 0
}

/// What was unknown at the last look, and the first moment at which it was.
pub(super) struct Suspects<K>(Mutex<HashMap<WorkerId, HashMap<K, u64>>>);

impl<K> Default for Suspects<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> Suspects<K> {
    /// Which of the `unknown` are lost: those that were unknown at the last look too, provided that whatever was on its
    /// way when they were first found has arrived by now. Moments are numbers that the caller counts up: it is `now`, and
    /// what is on its way set out at `oldest` or later.
    pub(super) fn lost(&self, worker: WorkerId, unknown: impl IntoIterator<Item = K>, now: u64, oldest: u64) -> Vec<K> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.remove(&worker).unwrap_or_default();
        let (mut lost, mut suspected) = (Vec::new(), HashMap::new());
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

    pub(super) fn any(&self, worker: WorkerId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::task::Queue;

    fn receipt(worker: WorkerId) -> Receipt {
        let (queue, id) = (Queue::P0, TaskId::new());
        Receipt { queue, worker, id, generation: 0, channel: 0, tag: 0, known: Arc::default() }
    }

    #[test]
    fn a_delivery_is_known_for_as_long_as_a_copy_of_its_receipt_lives() {
        let (known, worker) = (Known::default(), WorkerId::new());
        let (kept, dropped) = (receipt(worker), receipt(worker));
        known.add([&kept, &dropped]);
        let copy = kept.clone();
        let other = Receipt { known: Arc::default(), ..dropped };
        drop((kept, dropped));
        assert!(known.contains(&copy) && !known.contains(&other));
        assert!(known.forget(worker) && !known.forget(worker));
        assert_eq!(known.tags(worker).len(), 1);
        known.remove(std::slice::from_ref(&copy));
        assert!(!known.contains(&copy));
    }

    #[test]
    fn only_what_is_unknown_twice_in_turn_is_lost() {
        let (suspects, worker) = (Suspects::<u64>::default(), WorkerId::new());
        assert!(suspects.lost(worker, [1, 2], 0, 0).is_empty());
        assert!(suspects.lost(WorkerId::new(), [1, 2], 0, 0).is_empty(), "another worker's look is another one");
        assert_eq!(suspects.lost(worker, [2, 3], 0, 0), [2]);
        assert!(suspects.lost(worker, [], 0, 0).is_empty() && !suspects.any(worker));
        assert!(suspects.lost(worker, [3], 0, 0).is_empty(), "it was known in between");
    }

    #[test]
    fn what_may_still_be_on_its_way_is_not_lost() {
        let (suspects, worker) = (Suspects::<u64>::default(), WorkerId::new());
        // A take that set out as number 4 is on its way while the first look is made, before number 5.
        assert_eq!(suspects.lost(worker, [1], 5, 4), Vec::<u64>::new());
        assert_eq!(suspects.lost(worker, [1], 7, 4), Vec::<u64>::new(), "its answer may come yet");
        assert_eq!(suspects.lost(worker, [1], 9, 8), [1], "number 4 has ended, and did not bring it");
    }
}
