//! What this process was told that it holds.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::broker::Receipt;

/// What this process knows that it holds, to tell it from what Redis handed it in an answer that was lost.
pub(super) struct Held {
    receipts: Mutex<HashSet<Receipt>>,
    /// Changes when a settlement may have got lost: consumers then read their in-flight sets again.
    doubt: watch::Sender<()>,
}

impl Default for Held {
    fn default() -> Self {
        Self { receipts: Mutex::default(), doubt: watch::Sender::new(()) }
    }
}

impl Held {
    pub(super) fn add<'a>(&self, receipts: impl Iterator<Item = &'a Receipt>) {
        self.lock().extend(receipts.cloned());
    }

    pub(super) fn remove(&self, receipts: &[Receipt]) {
        let mut held = self.lock();
        for receipt in receipts {
            held.remove(receipt);
        }
    }

    pub(super) fn contains(&self, receipt: &Receipt) -> bool {
        self.lock().contains(receipt)
    }

    /// A settlement failed: Redis may still have its messages in flight, and then delivers them again.
    pub(super) fn distrust(&self) {
        self.doubt.send_replace(());
    }

    pub(super) fn doubts(&self) -> watch::Receiver<()> {
        self.doubt.subscribe()
    }

    /// The set is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashSet<Receipt>> {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
