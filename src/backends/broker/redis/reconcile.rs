//! Comparing what a worker holds at Redis with what this process knows of.

use bytes::Bytes;

use super::{
    scripts,
    shared::{Shared, failure},
};
use crate::{
    backend::redis::packed,
    broker::{BrokerError, Receipt},
};
use clawpool_core::task::{Priority, WorkerId};

impl Shared {
    /// One look. What this and the one before have found, and nobody here knows of, goes back to its queue.
    pub(super) async fn reconcile(&self, worker: WorkerId) -> Result<u64, BrokerError> {
        let Some(counts) = self.held.look(worker, self.suspects.any(worker)) else { return Ok(0) };
        let mut call = self.call(&scripts::HOLDS);
        call.arg(worker.as_bytes());
        for priority in Priority::ALL {
            let count = counts.map_or(-1, |counts| counts[priority.index()] as i64);
            call.arg(priority.index()).arg(count);
        }
        let holds: Vec<(u8, Vec<Bytes>)> = self.link.run(&call).await.map_err(|error| {
            self.held.troubled();
            failure(&error)
        })?;
        // Before what is known is looked at: a take that ends in between has told what it brought.
        let (_, oldest) = self.held.takes();
        let unknown: Vec<(u8, packed::Entry)> = holds
            .into_iter()
            .flat_map(|(n, entries)| entries.into_iter().map(move |entry| (n, entry)))
            .filter_map(|(n, entry)| Some((n, entry[..].try_into().ok()?)))
            .filter(|(n, entry)| receipt(worker, *n, entry).is_some_and(|receipt| !self.held.contains(&receipt)))
            .collect();
        let (next, _) = self.held.takes();
        let lost = self.suspects.lost(worker, unknown, next, oldest);
        let receipts: Vec<Receipt> = lost.iter().filter_map(|(n, entry)| receipt(worker, *n, entry)).collect();
        // Fewer than these where a look was overtaken by an acknowledgement.
        if receipts.is_empty() { Ok(0) } else { self.settle(&scripts::RELEASE, &receipts).await }
    }
}

/// What a delivery of this entry would be named by.
fn receipt(worker: WorkerId, n: u8, entry: &packed::Entry) -> Option<Receipt> {
    let (id, generation) = packed::parts(entry)?;
    let queue = Priority::from_index(n.into())?.queue();
    Some(Receipt { queue, worker, id, generation, channel: 0, tag: n.into(), known: Default::default() })
}
