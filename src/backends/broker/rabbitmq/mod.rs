//! The Broker on RabbitMQ (3.10 to 4.x): quorum queues, or for P2 and P3 one classic queue with priorities.
//!
//! Guarantees: `Ok` from a publish means that the server confirmed a persistent, routed message; connections,
//! channels, queues and consumers come back by themselves after any loss, with jittered backoff; what this
//! process held on a lost channel is delivered again by the server, and late acknowledgements of it are
//! ignored. Never does: wait for a blocked server, acknowledge a delivery without `ack`, or delete a queue.

mod channels;
mod connect;
mod consumer;
mod filtered_connection;
mod frame_filter;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod greeting;
mod ingress;
pub mod inspect;
mod moved_queue;
mod outgoing;
mod publisher;
mod queue_limiter;
mod queue_reader;
mod recovering_connection;
mod recovering_consumer;
mod subscription;
mod tags;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod topology;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::timeout;

use super::{
    Broker, BrokerError, Consumer, DeadLettered, Depth, Probed, Receipt, unsettled::UnknownDeliveries,
};
use channels::{ConsumerChannels, Settle};
use clawpool_core::{
    config::Config,
    task::{Message, ProcessId, Queue},
};
use connect::{Role, unavailable};
use consumer::RabbitConsumer;
use moved_queue::PlacesConsumer;
use outgoing::OutgoingMessage;
use publisher::{PublishOutcome, Publisher};
use queue_limiter::QueueLimiter;
use queue_reader::QueueReader;
use recovering_connection::RecoveringConnection;
use recovering_consumer::RecoveringConsumer;
use topology::{QueueSpec, Topology};

pub use ingress::{IngressMessage, IngressQueue, RejectedMessage};

const NAME: &str = "RabbitMQ";

pub struct RabbitBroker {
    topology: Topology,
    prefetch: u16,
    publishing: RecoveringConnection,
    consuming: RecoveringConnection,
    publisher: Publisher,
    limiter: Arc<QueueLimiter>,
    channels: Arc<ConsumerChannels>,
    /// Named by the channel's number and the delivery tag.
    unknown: UnknownDeliveries<(u64, u64)>,
    reader: QueueReader,
}

impl RabbitBroker {
    /// Connects. Fails when the server cannot be reached now. A connection that was made once is always made
    /// again.
    pub async fn open(config: &Config) -> Result<Self, BrokerError> {
        let settings = &config.rabbitmq;
        let topology = Topology::new(&settings.prefix, settings.high);
        // Two connections: the server blocks a publishing one when it lacks memory, and consuming must go on
        // then.
        let publishing = RecoveringConnection::open(settings, Role::Publish).await?;
        let consuming = RecoveringConnection::open(settings, Role::Consume).await?;
        let publisher = Publisher::start(publishing.clone(), settings.confirm_timeout);
        let limiter =
            Arc::new(QueueLimiter::new(publishing.clone(), topology.clone(), config.queue_limits()));
        let channels = Arc::new(ConsumerChannels::default());
        let reader =
            QueueReader::new(consuming.clone(), topology.clone(), channels.clone(), publisher.clone());
        let prefetch = settings.prefetch;
        let unknown = UnknownDeliveries::default();
        Ok(Self { topology, prefetch, publishing, consuming, publisher, limiter, channels, unknown, reader })
    }

    /// The broker's answer for a message with this outcome.
    fn answer(&self, queue: Queue, outcome: PublishOutcome) -> Result<(), BrokerError> {
        match outcome {
            PublishOutcome::Confirmed => Ok(()),
            PublishOutcome::Unroutable => {
                self.limiter.queue_deleted(queue);
                Err(unavailable(topology::deleted(&self.topology.queue_name(queue))))
            }
            PublishOutcome::Failed(error) => Err(error),
        }
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        let permits = self.limiter.acquire(&messages).await;
        let mut outgoing = Vec::with_capacity(messages.len());
        for (message, permit) in messages.iter().zip(&permits) {
            if permit.is_ok() {
                outgoing.push(wire::outgoing(message, &self.topology));
            }
        }
        let mut outcomes = self.publisher.send(outgoing).await.into_iter();
        let answers = messages.iter().zip(permits).map(|(message, permit)| {
            permit?;
            let outcome =
                outcomes.next().unwrap_or_else(|| PublishOutcome::unconfirmed("the publisher has stopped"));
            self.answer(message.queue, outcome)
        });
        answers.collect()
    }

    async fn consume(&self, worker: ProcessId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        let mut places: Vec<QueueSpec> = self.topology.consumed(queue).into_iter().collect();
        places.extend(self.reader.moved_from(queue).await?);
        let consumer = |spec| {
            let consumer = RecoveringConsumer::new(self.consuming.clone(), self.channels.clone(), spec);
            RabbitConsumer::new(consumer, worker, queue, self.prefetch)
        };
        Ok(Box::new(PlacesConsumer::new(places.into_iter().map(consumer).collect())))
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.channels.acknowledge(&receipts).await;
        Ok(())
    }

    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.channels.settle(&receipts, Settle::Requeue);
        Ok(())
    }

    /// Nothing to do: the server saw the worker's connection end and gave its messages out again at once.
    async fn reclaim(&self, _: ProcessId) -> Result<u64, BrokerError> {
        Ok(0)
    }

    /// The server's answers do not get lost while the connection lives. Only this process can lose track of a
    /// delivery.
    async fn reconcile(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let lost = self.unknown.lost(worker, self.channels.abandoned(), 0, 0);
        self.channels.give_back(&lost);
        Ok(lost.len() as u64)
    }

    async fn take_dead_lettered(
        &self,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        self.reader.take_dead_lettered(worker, limit).await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        self.reader.depth(queue).await
    }

    async fn probe(&self, patience: Duration) -> Vec<Probed> {
        let taken = timeout(patience, self.takes_messages()).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {patience:?}");
            Err(BrokerError::Unavailable { broker: NAME, reason })
        });
        vec![("rabbitmq", taken)]
    }
}

impl RabbitBroker {
    /// Publishes to no queue: the server tells a connection that it is blocked only when that connection
    /// publishes.
    async fn takes_messages(&self) -> Result<(), BrokerError> {
        self.consuming.current()?;
        let outcomes = self.publisher.send(vec![OutgoingMessage::probe(self.topology.probe_key())]).await;
        match outcomes.into_iter().next() {
            // The server's own reason, if it has given one by now.
            Some(PublishOutcome::Failed(error)) => self.publishing.current().and(Err(error)),
            _ => Ok(()),
        }
    }
}
