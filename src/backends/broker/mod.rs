//! The `Broker` trait: moves tasks from the dispatcher to the workers. One implementation each on RabbitMQ,
//! Redis and SQLite; [`Lanes`] composes them, so that each queue lives where the configuration puts it.
//!
//! Guarantees: a message whose publish returned `Ok` is durable and stays until it is acknowledged; a message
//! is with one consumer at a time; what a dead consumer held is handed out again. Never does: look into a
//! task, decide what runs or how often (the store's claim does), or drop a message without a trace.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod lanes;
#[cfg(test)]
mod lanes_tests;
mod open;
pub mod rabbitmq;
pub mod redis;
pub mod sqlite;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
pub(crate) mod unsettled;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};

use clawpool_core::task::{DeadReason, Message, ProcessId, Queue, Timestamp};

pub use error::BrokerError;
pub use lanes::Lanes;
pub use open::open;

#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Puts messages on their queues. One answer each, in order; `Ok` once the message is
    /// durable. Publishing a message (same id and generation) that is already there is `Ok` and may or may
    /// not add a second one.
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>>;

    /// Starts taking messages of one queue for one worker. At most one consumer for each worker and queue.
    async fn consume(&self, worker: ProcessId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError>;

    /// Removes delivered messages for good. A receipt of a lost connection is ignored: the broker delivers
    /// the message again and the claim drops it.
    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError>;

    /// Gives delivered messages back, to the front of their queue.
    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError>;

    /// Gives back everything that a process, known to be gone, still held. Returns how many messages that
    /// were.
    async fn reclaim(&self, holder: ProcessId) -> Result<u64, BrokerError>;

    /// Compares what the broker counts as held by a living process with the receipts of this handle, and
    /// gives the rest back: deliveries of an answer that was lost, failed settlements, and deliveries whose
    /// last receipt was dropped. Only a delivery that is unknown at two calls in turn is taken for lost; one
    /// that is on its way is not. Returns how many messages went back. Called about once a second; while
    /// nothing happens it costs nothing.
    async fn reconcile(&self, holder: ProcessId) -> Result<u64, BrokerError> {
        let _ = holder;
        Ok(0)
    }

    /// Takes up to `limit` messages that the broker has dead-lettered (expired at the head of a queue,
    /// delivery limit). They stay held, for `holder`, until acknowledged.
    async fn take_dead_lettered(
        &self,
        holder: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError>;

    /// How full a queue is now.
    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError>;

    /// Looks for messages that should wait, or be with one of the `living` workers. One that is there and
    /// neither waits nor is held is put back to the front of its queue. One answer each, in order. Costs as
    /// much as reading the whole queue; a broker whose queues cannot be read answers `Unknown`.
    async fn restore(&self, missing: &[Missing], _living: &[ProcessId]) -> Result<Vec<Found>, BrokerError> {
        Ok(vec![Found::Unknown; missing.len()])
    }

    /// A message that waits or is with a worker, to be looked at, whose task was enqueued at that time. Looks
    /// only so far: `None` also where it is further away, or the broker's queues cannot be read.
    async fn peek(&self, wanted: Missing, enqueued_at: Timestamp) -> Result<Option<Message>, BrokerError> {
        let _ = (wanted, enqueued_at);
        Ok(None)
    }

    /// The same of many. One answer each, in order.
    async fn peek_all(&self, wanted: &[(Missing, Timestamp)]) -> Result<Vec<Option<Message>>, BrokerError> {
        let peeks = wanted.iter().map(|(wanted, enqueued_at)| self.peek(*wanted, *enqueued_at));
        stream::iter(peeks.collect::<Vec<_>>()).buffered(PEEKS).try_collect().await
    }

    /// Whether [`peek`](Self::peek) can find messages of this queue.
    fn can_peek(&self, queue: Queue) -> bool {
        let _ = queue;
        false
    }

    /// Each server behind this, by name, and whether it would take a message now; answered within `patience`.
    /// Where broker and store share a server, the store's probe is enough, and nothing is said of it here.
    async fn probe(&self, patience: Duration) -> Vec<Probed> {
        let _ = patience;
        Vec::new()
    }
}

/// Questions to a server that are on their way at once.
const PEEKS: usize = 32;

/// A server's name, and whether it takes messages.
pub type Probed = (&'static str, Result<(), BrokerError>);

/// A stream of deliveries that is pulled: nothing is fetched that was not asked for.
#[async_trait]
pub trait Consumer: Send {
    /// Waits until at least one message is ready, without polling, then returns 1 to `want` of them, most
    /// urgent and oldest first. Dropping the future loses no message. Errors are passing ones: the consumer
    /// connects again by itself, with backoff, and the caller just calls again.
    async fn next(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError>;

    /// Gives back what was fetched ahead and not yet returned by `next`, and fetches nothing until `next` is
    /// called again. A busy worker calls this so that no message waits behind it.
    async fn pause(&mut self) -> Result<(), BrokerError>;
}

#[derive(Clone, Debug)]
pub struct Delivery {
    pub message: Message,
    pub receipt: Receipt,
}

/// Names one delivery to the broker that made it, and is opaque to its users. When the last copy is dropped
/// and the delivery is not settled, [`Broker::reconcile`] gives it back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub queue: Queue,
    pub worker: ProcessId,
    pub id: clawpool_core::task::TaskId,
    pub(crate) generation: u32,
    /// RabbitMQ: the number of the consumer channel, and the delivery tag on it.
    pub(crate) channel: u64,
    pub(crate) tag: u64,
    /// Lives for as long as a copy of the receipt does.
    pub(crate) alive: Arc<()>,
}

/// A message that the broker itself has dead-lettered.
#[derive(Clone, Debug)]
pub struct DeadLettered {
    pub delivery: Delivery,
    pub reason: DeadReason,
}

/// A message that may have been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub id: clawpool_core::task::TaskId,
    pub generation: u32,
    pub queue: Queue,
}

/// Where a broker finds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It waits, or a living worker has it.
    There,
    /// It neither waited nor was held, and waits again now.
    Restored,
    /// The broker has no such message.
    Gone,
    /// This broker cannot read its queues, or not so far.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages waiting, not those with a consumer.
    pub ready: u64,
    /// When the one at the head was enqueued.
    pub oldest: Option<Timestamp>,
}
