//! The Broker on RabbitMQ (3.10 to 4.x): a priority queue for the high lane, quorum queues for everything else.
//!
//! Guarantees: `Ok` from a publish means that the server confirmed a persistent, routed message; connections, channels,
//! queues and consumers come back by themselves after any loss, with jittered backoff; what this process held on a lost
//! channel is delivered again by the server, and late acknowledgements of it are ignored. Never does: wait for a blocked
//! server, acknowledge what it was not told to, or delete a queue.

mod connect;
mod consumer;
mod feed;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod gate;
mod ingress;
mod intake;
mod lines;
mod link;
mod parcel;
mod publisher;
mod scrub;
mod shield;
mod sweep;
mod tags;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod topology;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;

use super::{Broker, BrokerError, Condemned, Consumer, Depth, Receipt, known::Suspects};
use clawpool_core::{
    config::Config,
    task::{Message, Queue, WorkerId},
};
use connect::{Role, unavailable};
use consumer::RabbitConsumer;
use gate::Gate;
use intake::Intake;
use lines::{Lines, Settle};
use link::Link;
use parcel::Parcel;
use publisher::{Fate, Publisher};
use sweep::Sweeper;
use topology::Topology;

pub use ingress::{Ingress, Letter, Return};

const NAME: &str = "RabbitMQ";

pub struct RabbitBroker {
    topology: Topology,
    prefetch: u16,
    publishing: Link,
    consuming: Link,
    publisher: Publisher,
    gate: Arc<Gate>,
    lines: Arc<Lines>,
    /// By line and tag.
    suspects: Suspects<(u64, u64)>,
    sweeper: Sweeper,
}

impl RabbitBroker {
    /// Connects. Fails when the server cannot be reached now; a connection that was there once is kept up for ever.
    pub async fn open(config: &Config) -> Result<Self, BrokerError> {
        let settings = &config.rabbitmq;
        let topology = Topology::new(&settings.prefix);
        // Two connections: the server blocks a publishing one when it lacks memory, and consuming must go on then.
        let publishing = Link::open(settings, Role::Publish).await?;
        let consuming = Link::open(settings, Role::Consume).await?;
        let publisher = Publisher::start(publishing.clone(), settings.confirm_timeout);
        let gate = Arc::new(Gate::new(publishing.clone(), topology.clone(), config.queues.clone()));
        let lines = Arc::new(Lines::default());
        let sweeper = Sweeper::new(consuming.clone(), topology.clone(), lines.clone(), publisher.clone());
        let (prefetch, suspects) = (settings.prefetch, Suspects::default());
        Ok(Self { topology, prefetch, publishing, consuming, publisher, gate, lines, suspects, sweeper })
    }

    /// What became of a message, in the seam's words.
    fn answer(&self, queue: Queue, fate: Fate) -> Result<(), BrokerError> {
        match fate {
            Fate::Stored => Ok(()),
            Fate::Unroutable => {
                self.gate.forget(queue);
                Err(unavailable(topology::deleted(&self.topology.queue_name(queue))))
            }
            Fate::Failed(error) => Err(error),
        }
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        let passes = self.gate.admit(&messages).await;
        let mut parcels = Vec::with_capacity(messages.len());
        for (message, pass) in messages.iter().zip(&passes) {
            if pass.is_ok() {
                parcels.push(wire::parcel(message, &self.topology));
            }
        }
        let mut fates = self.publisher.send(parcels).await.into_iter();
        let answers = messages.iter().zip(passes).map(|(message, pass)| {
            pass?;
            let fate = fates.next().unwrap_or_else(|| Fate::lost("the publisher has stopped"));
            self.answer(message.priority.queue(), fate)
        });
        answers.collect()
    }

    async fn consume(&self, worker: WorkerId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        let (link, lines) = (self.consuming.clone(), self.lines.clone());
        let intake = Intake::new(link, lines, self.topology.queue(queue));
        Ok(Box::new(RabbitConsumer::new(intake, worker, queue, self.prefetch)))
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.lines.acknowledge(&receipts).await;
        Ok(())
    }

    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.lines.settle(&receipts, Settle::Requeue);
        Ok(())
    }

    /// Nothing to do: the server saw the worker's connection end and gave its messages out again at once.
    async fn reclaim(&self, _: WorkerId) -> Result<u64, BrokerError> {
        Ok(0)
    }

    /// The server's answers cannot get lost while the connection lives, so this process alone can forget a delivery.
    async fn reconcile(&self, worker: WorkerId) -> Result<u64, BrokerError> {
        let lost = self.suspects.lost(worker, self.lines.forgotten(), 0, 0);
        self.lines.give_back(&lost);
        Ok(lost.len() as u64)
    }

    async fn sweep(&self, worker: WorkerId, limit: usize) -> Result<Vec<Condemned>, BrokerError> {
        self.sweeper.sweep(worker, limit).await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        self.sweeper.depth(queue).await
    }

    /// Publishes to nobody: the server tells a connection that it is blocked only once that one publishes.
    async fn probe(&self) -> Result<(), BrokerError> {
        self.consuming.session()?;
        let fates = self.publisher.send(vec![Parcel::probe(self.topology.nobody())]).await;
        match fates.into_iter().next() {
            // The server's own word for it, if it has said one by now.
            Some(Fate::Failed(error)) => self.publishing.session().and(Err(error)),
            _ => Ok(()),
        }
    }
}
