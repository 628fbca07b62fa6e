//! Comparing what a worker holds in Redis with the deliveries that this process knows.

use bytes::Bytes;

use super::{
    scripts,
    shared::{Shared, failure},
};
use crate::{
    backend::redis::packed,
    broker::{BrokerError, Receipt},
};
use clawpool_core::task::{Priority, ProcessId};

impl Shared {
    /// One comparison. Entries that are unknown to this process in it and in the one before go back to their
    /// queue.
    pub(super) async fn reconcile(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let Some(counts) = self.held.comparison(worker, self.unknown.any(worker)) else { return Ok(0) };
        let mut call = self.call(&scripts::HOLDS);
        call.arg(worker.as_bytes());
        for priority in Priority::ALL {
            let count = counts.map_or(-1, |counts| counts[priority.index()] as i64);
            call.arg(priority.index()).arg(count);
        }
        let holds: Vec<(u8, Vec<Bytes>)> = self.link.run(&call).await.map_err(|error| {
            self.held.answer_lost();
            failure(&error)
        })?;
        // Before the comparison: a take that ends in between has added its deliveries.
        let (_, oldest) = self.held.takes();
        let unknown: Vec<(u8, packed::Entry)> = holds
            .into_iter()
            .flat_map(|(n, entries)| entries.into_iter().map(move |entry| (n, entry)))
            .filter_map(|(n, entry)| Some((n, entry[..].try_into().ok()?)))
            .filter(|(n, entry)| {
                receipt(worker, *n, entry).is_some_and(|receipt| !self.held.contains(&receipt))
            })
            .collect();
        let (next, _) = self.held.takes();
        let lost = self.unknown.lost(worker, unknown, next, oldest);
        let receipts: Vec<Receipt> =
            lost.iter().filter_map(|(n, entry)| receipt(worker, *n, entry)).collect();
        // Fewer than these where an acknowledgement came first.
        if receipts.is_empty() { Ok(0) } else { self.settle(&scripts::RELEASE, &receipts).await }
    }
}

/// The receipt that a delivery of this entry would have.
fn receipt(worker: ProcessId, n: u8, entry: &packed::Entry) -> Option<Receipt> {
    let (id, generation) = packed::parts(entry)?;
    let queue = Priority::from_index(n.into())?.queue();
    Some(Receipt { queue, worker, id, generation, channel: 0, tag: n.into(), alive: Default::default() })
}
