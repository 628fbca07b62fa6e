//! Comparing what a worker holds in Redis with the deliveries that this process knows.

use bytes::Bytes;

use super::{
    scripts,
    shared::{Shared, failure},
};
use crate::backend::redis::queue_name::{name, named};
use crate::{
    backend::redis::packed,
    broker::{BrokerError, Receipt},
};
use clawpool_core::task::{ProcessId, Queue};

impl Shared {
    /// One comparison. Entries that are unknown to this process in it and in the one before go back to their
    /// queue.
    pub(super) async fn reconcile(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let Some(counts) = self.held.comparison(worker, self.unknown.any(worker)) else { return Ok(0) };
        let mut call = self.call(&scripts::HOLDS);
        call.arg(worker.as_bytes()).arg(u8::from(counts.is_none()));
        for (queue, count) in counts.into_iter().flatten() {
            call.arg(&*name(queue)).arg(count);
        }
        let holds: Vec<(String, Vec<Bytes>)> = self.link.run(&call).await.map_err(|error| {
            self.held.answer_lost();
            failure(&error)
        })?;
        // Before the comparison: a take that ends in between has added its deliveries.
        let (_, oldest) = self.held.takes();
        let unknown: Vec<(Queue, packed::Entry)> = holds
            .into_iter()
            .filter_map(|(name, entries)| Some((named(&name)?, entries)))
            .flat_map(|(queue, entries)| entries.into_iter().map(move |entry| (queue, entry)))
            .filter_map(|(queue, entry)| Some((queue, entry[..].try_into().ok()?)))
            .filter(|(queue, entry)| {
                receipt(worker, *queue, entry).is_some_and(|receipt| !self.held.contains(&receipt))
            })
            .collect();
        let (next, _) = self.held.takes();
        let lost = self.unknown.lost(worker, unknown, next, oldest);
        let receipts: Vec<Receipt> =
            lost.iter().filter_map(|(queue, entry)| receipt(worker, *queue, entry)).collect();
        // Fewer than these where an acknowledgement came first.
        if receipts.is_empty() { Ok(0) } else { self.settle(&scripts::RELEASE, &receipts).await }
    }
}

/// The receipt that a delivery of this entry would have.
fn receipt(worker: ProcessId, queue: Queue, entry: &packed::Entry) -> Option<Receipt> {
    let (id, generation) = packed::parts(entry)?;
    Some(Receipt { queue, worker, id, generation, channel: 0, tag: 0, alive: Default::default() })
}
