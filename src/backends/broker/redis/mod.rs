//! The Broker on Redis lists. Each priority has a list of entries (id and generation) and a hash of their
//! messages; what a worker fetched is in a set of its own until it acknowledges. Every change is one script,
//! so it happens whole or not at all. A queue's bell, a list of at most one token, wakes idle consumers.
//!
//! Guarantees: a message waits or is with one worker from its publish to its acknowledgement, also across a
//! crash of any party at any moment (of Redis itself: with its append-only file on). An idle consumer sends a
//! command a second, and gets a message within seconds though the connection that waits for the bell died
//! without an error. Never does: acknowledge or give back a message on behalf of a worker that no longer
//! holds it; leave a message with a worker that lives and does not know of it.

mod consumer;
mod consumer_task;
mod error;
pub(crate) mod held;
mod publish;
mod reconcile;
mod restore;
pub(crate) mod scripts;
pub(crate) mod shared;
#[cfg(test)]
mod tests;
pub(crate) mod waiter;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::{Manager, Pool, Runtime};

use self::{
    consumer::RedisConsumer,
    held::Held,
    shared::{Shared, failure},
};
use super::{
    Broker, BrokerError, Consumer, DeadLettered, Depth, Found, Missing, Receipt, unsettled::UnknownDeliveries,
};
use crate::backend::redis::{link::Link, pulse::PULSE};
use crate::backend::redis::{packed, queue_name::name};
use clawpool_core::{
    config::Config,
    task::{DeadReason, Message, ProcessId, Queue, Timestamp},
};

/// Messages in one script: enough to make round trips cheap, few enough not to keep the server from others
/// for long.
pub(crate) const BATCH: usize = 1000;

/// Exclusive connections at most: one for each consumer that waits.
const WAITERS: usize = 1024;

pub struct RedisBroker {
    pub(crate) shared: Arc<Shared>,
}

impl RedisBroker {
    /// Connects, and refuses a server that would lose tasks.
    pub async fn open(config: &Config) -> Result<Self, BrokerError> {
        let link = Link::open(&config.redis).await?;
        let timeout = Some(link.timeout());
        let quick = Some(link.timeout().min(PULSE));
        let options = link.alone(waiter::WAIT + PULSE);
        let manager = Manager::new_with_config(link.client().get_connection_info().clone(), options)
            .map_err(|error| failure(&error))?;
        let waiters = Pool::builder(manager)
            .max_size(WAITERS)
            .runtime(Runtime::Tokio1)
            .create_timeout(timeout)
            .recycle_timeout(quick)
            .wait_timeout(timeout)
            .build()
            .map_err(|error| BrokerError::Refused { broker: "redis", reason: error.to_string() })?;
        let limits = config.queue_limits();
        let held = Held::default();
        let unknown = UnknownDeliveries::default();
        Ok(Self { shared: Arc::new(Shared { link, waiters, limits, held, unknown }) })
    }
}

#[async_trait]
impl Broker for RedisBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        publish::publish(&self.shared, messages).await
    }

    async fn consume(&self, worker: ProcessId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(RedisConsumer::start(self.shared.clone(), worker, queue)))
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.shared.settle(&scripts::ACKNOWLEDGE, &receipts).await.map(drop)
    }

    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.shared.settle(&scripts::RELEASE, &receipts).await.map(drop)
    }

    async fn reclaim(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let mut call = self.shared.call(&scripts::RECLAIM);
        call.arg(worker.as_bytes());
        self.shared.link.run(&call).await.map_err(|error| failure(&error))
    }

    async fn reconcile(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        self.shared.reconcile(worker).await
    }

    async fn take_dead_lettered(
        &self,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        let mut call = self.shared.call(&scripts::TAKE_EXPIRED);
        call.arg(worker.as_bytes()).arg(limit.min(BATCH));
        let taken = self.shared.take(worker, &call).await?;
        Ok(taken.into_iter().map(|delivery| DeadLettered { delivery, reason: DeadReason::Expired }).collect())
    }

    async fn restore(&self, missing: &[Missing], living: &[ProcessId]) -> Result<Vec<Found>, BrokerError> {
        restore::restore(&self.shared, missing, living).await
    }

    async fn peek(&self, wanted: Missing, _: Timestamp) -> Result<Option<Message>, BrokerError> {
        let entry = packed::entry(wanted.id, wanted.generation);
        let mut get = redis::cmd("HGET");
        get.arg(format!("{}:m:{}", self.shared.link.base(), name(wanted.queue))).arg(&entry[..]);
        let value: Option<Bytes> = self.shared.link.send(&get).await.map_err(|error| failure(&error))?;
        Ok(value.and_then(|value| packed::unpack(&entry, &value)))
    }

    fn can_peek(&self, _: Queue) -> bool {
        true
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        let mut call = self.shared.call(&scripts::DEPTH);
        call.arg(&*name(queue));
        let (ready, oldest): (u64, Option<u64>) =
            self.shared.link.run(&call).await.map_err(|e| failure(&e))?;
        Ok(Depth { ready, oldest: oldest.map(Timestamp::from_millis) })
    }
}
