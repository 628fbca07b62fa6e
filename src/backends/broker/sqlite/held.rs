//! The deliveries of this process, and which of the rows that its worker holds in the file are lost to it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::super::unsettled::{UnknownDeliveries, UnsettledDeliveries};
use crate::broker::{Delivery, Receipt};
use clawpool_core::task::ProcessId;

#[derive(Default)]
pub(crate) struct Held {
    unsettled: UnsettledDeliveries,
    /// Rows by their numbers.
    unknown: UnknownDeliveries<u64>,
    /// Counts changes of what is held, and which count each worker's last comparison has seen.
    changes: AtomicU64,
    seen: Mutex<HashMap<ProcessId, u64>>,
}

impl Held {
    /// Before the transaction that holds them is committed: so no held row is unknown at any moment.
    pub(crate) fn add(&self, deliveries: &[Delivery]) {
        self.changed();
        self.unsettled.add(deliveries.iter().map(|delivery| &delivery.receipt));
    }

    pub(crate) fn remove(&self, receipts: &[Receipt]) {
        self.changed();
        self.unsettled.remove(receipts);
    }

    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether anything has happened that a comparison could find.
    pub(crate) fn is_due(&self, worker: ProcessId) -> bool {
        let changes = self.changes.load(Ordering::Relaxed);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, changes);
        self.unsettled.forget_abandoned(worker) || self.unknown.any(worker) || seen != Some(changes)
    }

    /// Of the rows that the worker holds in the file, those that this process did not know in this comparison
    /// and the last.
    pub(crate) fn lost(&self, worker: ProcessId, holds: Vec<Receipt>) -> Vec<Receipt> {
        let unknown: HashMap<u64, Receipt> = holds
            .into_iter()
            .filter(|receipt| !self.unsettled.contains(receipt))
            .map(|row| (row.tag, row))
            .collect();
        let lost = self.unknown.lost(worker, unknown.keys().copied(), 0, 0);
        lost.iter().filter_map(|row| unknown.get(row).cloned()).collect()
    }
}
