//! The deliveries of this process, and when they must be compared with what Redis counts as held by its
//! workers.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::super::unsettled::UnsettledDeliveries;
use crate::{
    backend::redis::packed::{self, Entry},
    broker::{Delivery, Receipt},
};
use clawpool_core::task::{ProcessId, Queue};

/// A command whose answer was lost may still be run much later, by a server that stood still.
const COMPARE_AFTER_ERROR: Duration = Duration::from_secs(60);

/// One of so many comparisons is entry by entry, also where the numbers are equal.
const COMPARE_EVERY: u64 = 10;

pub(crate) struct Held {
    unsettled: UnsettledDeliveries,
    /// Taken, and left in flight because they cannot be read: no other process could read them either.
    aside: Mutex<BTreeSet<Entry>>,
    /// Changes when a settlement failed: consumers then read their in-flight sets again.
    failed_settlements: watch::Sender<()>,
    takes: Mutex<Takes>,
    /// Counts all that may have changed what Redis counts as held by this process.
    changes: AtomicU64,
    last_error: Mutex<Option<Instant>>,
    comparisons: Mutex<HashMap<ProcessId, Comparison>>,
}

/// Scripts that take messages, numbered in the order of their start.
#[derive(Default)]
struct Takes {
    next: u64,
    under_way: BTreeSet<u64>,
}

/// The last comparison of a worker.
#[derive(Clone, Copy, Default)]
struct Comparison {
    changes: u64,
    number: u64,
}

/// A script that takes messages. Until it is dropped, messages may be on their way to this process.
pub(crate) struct Take<'a> {
    held: &'a Held,
    number: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            unsettled: UnsettledDeliveries::default(),
            aside: Mutex::default(),
            failed_settlements: watch::Sender::new(()),
            takes: Mutex::default(),
            changes: AtomicU64::new(1),
            last_error: Mutex::default(),
            comparisons: Mutex::default(),
        }
    }
}

impl Held {
    pub(crate) fn take(&self) -> Take<'_> {
        let mut takes = lock(&self.takes);
        let number = takes.next;
        takes.next += 1;
        takes.under_way.insert(number);
        Take { held: self, number }
    }

    /// The number of the next take, and of the oldest that is under way.
    pub(crate) fn takes(&self) -> (u64, u64) {
        let takes = lock(&self.takes);
        (takes.next, takes.under_way.first().copied().unwrap_or(takes.next))
    }

    pub(crate) fn add(&self, deliveries: &[Delivery]) {
        if !deliveries.is_empty() {
            self.changed();
            self.unsettled.add(deliveries.iter().map(|delivery| &delivery.receipt));
        }
    }

    pub(crate) fn add_receipt(&self, receipt: &Receipt) {
        self.changed();
        self.unsettled.add([receipt]);
    }

    pub(crate) fn remove(&self, receipts: &[Receipt]) {
        self.changed();
        self.unsettled.remove(receipts);
    }

    pub(crate) fn contains(&self, receipt: &Receipt) -> bool {
        self.unsettled.contains(receipt)
            || lock(&self.aside).contains(&packed::entry(receipt.id, receipt.generation))
    }

    pub(crate) fn set_aside(&self, entry: Entry) {
        lock(&self.aside).insert(entry);
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer was lost: what Redis holds is not known.
    pub(crate) fn answer_lost(&self) {
        *lock(&self.last_error) = Some(Instant::now());
    }

    /// A settlement failed: Redis may still have its messages in flight, and then delivers them again.
    pub(crate) fn settlement_failed(&self) {
        self.answer_lost();
        self.failed_settlements.send_replace(());
    }

    pub(crate) fn failed_settlements(&self) -> watch::Receiver<()> {
        self.failed_settlements.subscribe()
    }

    /// The next comparison, if one is due; none is while nothing happens. With how many entries of each
    /// queue the worker holds, or `None`, which stands for: do not count, compare the entries.
    pub(crate) fn comparison(
        &self,
        worker: ProcessId,
        unknown: bool,
    ) -> Option<Option<HashMap<Queue, usize>>> {
        let abandoned = self.unsettled.forget_abandoned(worker);
        let after_error = lock(&self.last_error).is_some_and(|since| since.elapsed() < COMPARE_AFTER_ERROR);
        let changes = self.changes.load(Ordering::Relaxed);
        let mut comparisons = lock(&self.comparisons);
        let comparison = comparisons.entry(worker).or_default();
        if comparison.changes == changes && !(abandoned || after_error || unknown) {
            return None;
        }
        *comparison = Comparison { changes, number: comparison.number + 1 };
        if abandoned || after_error || unknown || comparison.number.is_multiple_of(COMPARE_EVERY) {
            return Some(None);
        }
        let mut counts = HashMap::new();
        for queue in self.unsettled.queues(worker) {
            *counts.entry(queue).or_default() += 1;
        }
        Some(Some(counts))
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        lock(&self.held.takes).under_way.remove(&self.number);
    }
}

/// The data behind these locks is whole after each change, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
