//! What this process was handed, and which of the rows that are held in a worker's name are lost on it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::super::known::{Known, Suspects};
use crate::broker::{Delivery, Receipt};
use clawpool_core::task::WorkerId;

#[derive(Default)]
pub(super) struct Held {
    known: Known,
    /// Rows by their numbers.
    suspects: Suspects<u64>,
    /// Counts whatever may have changed what is held, and which count each worker's last look has seen.
    changes: AtomicU64,
    seen: Mutex<HashMap<WorkerId, u64>>,
}

impl Held {
    /// Before the transaction that holds them is committed: nothing that is held was unknown at any moment.
    pub(super) fn add(&self, deliveries: &[Delivery]) {
        self.changed();
        self.known.add(deliveries.iter().map(|delivery| &delivery.receipt));
    }

    pub(super) fn remove(&self, receipts: &[Receipt]) {
        self.changed();
        self.known.remove(receipts);
    }

    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether anything has happened that makes a look worth its while.
    pub(super) fn is_due(&self, worker: WorkerId) -> bool {
        let changes = self.changes.load(Ordering::Relaxed);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, changes);
        self.known.forget(worker) || self.suspects.any(worker) || seen != Some(changes)
    }

    /// Of the rows that are held in the worker's name, those that nobody here knows of, now and at the last look.
    pub(super) fn lost(&self, worker: WorkerId, holds: Vec<Receipt>) -> Vec<Receipt> {
        let unknown: HashMap<u64, Receipt> =
            holds.into_iter().filter(|receipt| !self.known.contains(receipt)).map(|row| (row.tag, row)).collect();
        let lost = self.suspects.lost(worker, unknown.keys().copied(), 0, 0);
        lost.iter().filter_map(|row| unknown.get(row).cloned()).collect()
    }
}
