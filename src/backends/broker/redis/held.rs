//! What this process was told that it holds, and when that must be compared with what Redis says.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::super::known::Known;
use crate::{
    backend::redis::packed::{self, Entry},
    broker::{Delivery, Receipt},
};
use clawpool_core::task::WorkerId;

/// A command whose answer was lost may reach a server that stood still long after it was given up.
const TROUBLED: Duration = Duration::from_secs(60);

/// Of so many looks one compares entry by entry, also where the numbers are right.
const THOROUGH: u64 = 10;

pub(super) struct Held {
    known: Known,
    /// Taken, and left in flight because they cannot be read: nobody else could either.
    aside: Mutex<BTreeSet<Entry>>,
    /// Changes when a settlement may have got lost: consumers then read their in-flight sets again.
    doubt: watch::Sender<()>,
    takes: Mutex<Takes>,
    /// Counts whatever may have changed what Redis holds for us.
    changes: AtomicU64,
    trouble: Mutex<Option<Instant>>,
    looks: Mutex<HashMap<WorkerId, Look>>,
}

/// Scripts that take messages, numbered as they set out.
#[derive(Default)]
struct Takes {
    next: u64,
    under_way: BTreeSet<u64>,
}

/// What a worker's last look has seen.
#[derive(Clone, Copy, Default)]
struct Look {
    changes: u64,
    number: u64,
}

/// Until it is dropped, messages may be on their way to us.
pub(super) struct Take<'a> {
    held: &'a Held,
    number: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            known: Known::default(),
            aside: Mutex::default(),
            doubt: watch::Sender::new(()),
            takes: Mutex::default(),
            changes: AtomicU64::new(1),
            trouble: Mutex::default(),
            looks: Mutex::default(),
        }
    }
}

impl Held {
    pub(super) fn take(&self) -> Take<'_> {
        let mut takes = lock(&self.takes);
        let number = takes.next;
        takes.next += 1;
        takes.under_way.insert(number);
        Take { held: self, number }
    }

    /// The number of the next take, and of the oldest that is under way.
    pub(super) fn takes(&self) -> (u64, u64) {
        let takes = lock(&self.takes);
        (takes.next, takes.under_way.first().copied().unwrap_or(takes.next))
    }

    pub(super) fn add(&self, deliveries: &[Delivery]) {
        if !deliveries.is_empty() {
            self.changed();
            self.known.add(deliveries.iter().map(|delivery| &delivery.receipt));
        }
    }

    pub(super) fn remove(&self, receipts: &[Receipt]) {
        self.changed();
        self.known.remove(receipts);
    }

    pub(super) fn contains(&self, receipt: &Receipt) -> bool {
        self.known.contains(receipt) || lock(&self.aside).contains(&packed::entry(receipt.id, receipt.generation))
    }

    pub fn set_aside(&self, entry: Entry) {
        lock(&self.aside).insert(entry);
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer was lost: what Redis holds is not known.
    pub(super) fn troubled(&self) {
        *lock(&self.trouble) = Some(Instant::now());
    }

    /// A settlement failed: Redis may still have its messages in flight, and then delivers them again.
    pub(super) fn distrust(&self) {
        self.troubled();
        self.doubt.send_replace(());
    }

    pub(super) fn doubts(&self) -> watch::Receiver<()> {
        self.doubt.subscribe()
    }

    /// How many entries of each priority a worker knows of, for the next look; `None` stands for: do not count, compare.
    /// No look at all is due while nothing happens.
    pub(super) fn look(&self, worker: WorkerId, suspects: bool) -> Option<Option<[usize; 7]>> {
        let forgotten = self.known.forget(worker);
        let troubled = lock(&self.trouble).is_some_and(|since| since.elapsed() < TROUBLED);
        let changes = self.changes.load(Ordering::Relaxed);
        let mut looks = lock(&self.looks);
        let look = looks.entry(worker).or_default();
        if look.changes == changes && !(forgotten || troubled || suspects) {
            return None;
        }
        *look = Look { changes, number: look.number + 1 };
        if forgotten || troubled || suspects || look.number.is_multiple_of(THOROUGH) {
            return Some(None);
        }
        let mut counts = [0; 7];
        for tag in self.known.tags(worker) {
            counts[usize::try_from(tag).unwrap_or_default().min(6)] += 1;
        }
        Some(Some(counts))
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        lock(&self.held.takes).under_way.remove(&self.number);
    }
}

/// What is behind these locks is whole after each change, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
