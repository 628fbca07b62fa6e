//! Steps that the broker's handle and its consumers share: taking, acknowledging, giving back.

use bytes::Bytes;
use deadpool_redis::Pool;
use futures::future::join_all;
use redis::{RedisError, Value};

use super::{BATCH, held::Held, scripts, scripts::Taken};
use crate::backend::redis::queue_name::name;
use crate::{
    backend::redis::{
        error::LinkError,
        link::Link,
        packed,
        script::{Call, Script},
    },
    broker::{BrokerError, Delivery, Receipt, unsettled::UnknownDeliveries},
};
use clawpool_core::{
    config::QueueLimits,
    task::{ProcessId, Queue},
};

/// What the broker's handle and the tasks of its consumers share.
pub(crate) struct Shared {
    pub(crate) link: Link,
    /// Connections for blocking commands: no other command can use them meanwhile.
    pub(crate) waiters: Pool,
    pub(crate) limits: QueueLimits,
    pub(crate) held: Held,
    /// Queue and entry of what Redis counts as held by this process, and this process does not know.
    pub(crate) unknown: UnknownDeliveries<(Queue, packed::Entry)>,
}

impl Shared {
    pub(crate) fn call(&self, script: &'static Script) -> Call {
        Call::new(script, self.link.base())
    }

    /// Runs a script that gives messages to the worker.
    pub(crate) async fn take(&self, worker: ProcessId, call: &Call) -> Result<Vec<Delivery>, BrokerError> {
        // Dropped after what was taken is known.
        let _take = self.held.take();
        let deliveries = self.deliveries(worker, call).await?;
        self.held.add(&deliveries);
        Ok(deliveries)
    }

    /// What a worker's in-flight sets hold beyond what this process knows.
    pub(crate) async fn recover(&self, worker: ProcessId, call: &Call) -> Result<Vec<Delivery>, BrokerError> {
        let _take = self.held.take();
        let mut lost = self.deliveries(worker, call).await?;
        lost.retain(|delivery| !self.held.contains(&delivery.receipt));
        self.held.add(&lost);
        Ok(lost)
    }

    async fn deliveries(&self, worker: ProcessId, call: &Call) -> Result<Vec<Delivery>, BrokerError> {
        let taken: Vec<Taken> = self.link.run(call).await.map_err(|error| {
            self.held.answer_lost();
            failure(&error)
        })?;
        let each = taken.into_iter().flat_map(|(entries, values)| entries.into_iter().zip(values));
        Ok(each
            .filter_map(|(entry, value)| self.delivery(worker, &entry, &value.unwrap_or_default()))
            .collect())
    }

    fn delivery(&self, worker: ProcessId, entry: &Bytes, value: &Bytes) -> Option<Delivery> {
        let Some(message) = packed::unpack(entry, value) else {
            let bytes = value.len();
            tracing::error!(%worker, ?entry, bytes, "Redis holds a message that cannot be read; it is left \
                there");
            if let Ok(entry) = entry[..].try_into() {
                self.held.set_aside(entry);
            }
            return None;
        };
        let receipt = Receipt {
            queue: message.queue,
            worker,
            id: message.id,
            generation: message.generation,
            channel: 0,
            tag: 0,
            alive: Default::default(),
        };
        Some(Delivery { message, receipt })
    }

    /// Rings the bell for a waiting consumer, if there is something to fetch. When it fails the connection is
    /// lost, and consumers fetch once they have a new one.
    pub(crate) async fn ring(&self, queue: Queue) {
        let mut call = self.call(&scripts::RING);
        call.arg(&*name(queue));
        if let Err(error) = self.link.run::<Value>(&call).await {
            tracing::debug!(%queue, %error, "could not ring for the next consumer");
        }
    }

    /// Acknowledges or releases, with one script for each worker and queue. Answers how many were there.
    pub(crate) async fn settle(
        &self,
        script: &'static Script,
        receipts: &[Receipt],
    ) -> Result<u64, BrokerError> {
        let calls: Vec<_> =
            grouped(receipts).into_iter().map(|group| self.settlement(script, &group)).collect();
        let answers = join_all(calls.iter().map(|call| self.link.run::<u64>(call))).await;
        self.held.remove(receipts);
        let counts = answers.into_iter().map(|answer| {
            answer.map_err(|error| {
                self.held.settlement_failed();
                failure(&error)
            })
        });
        counts.sum()
    }

    fn settlement(&self, script: &'static Script, group: &[&Receipt]) -> Call {
        let mut call = self.call(script);
        if let Some(first) = group.first() {
            call.arg(first.worker.as_bytes()).arg(&*name(first.queue));
        }
        let entries: Vec<u8> =
            group.iter().flat_map(|receipt| packed::entry(receipt.id, receipt.generation)).collect();
        call.arg(entries);
        call
    }
}

/// Receipts of one worker and queue, at most a batch each, in their order.
fn grouped(receipts: &[Receipt]) -> Vec<Vec<&Receipt>> {
    let mut groups: Vec<Vec<&Receipt>> = Vec::new();
    for receipt in receipts {
        let fits = |group: &&mut Vec<&Receipt>| {
            group.len() < BATCH
                && group.iter().all(|r| (r.worker, r.queue) == (receipt.worker, receipt.queue))
        };
        match groups.iter_mut().rev().find(fits) {
            Some(group) => group.push(receipt),
            None => groups.push(vec![receipt]),
        }
    }
    groups
}

pub(crate) fn failure(error: &RedisError) -> BrokerError {
    LinkError::of(error).into()
}
