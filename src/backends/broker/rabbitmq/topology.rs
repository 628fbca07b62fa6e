use std::{sync::Arc, time::Duration};

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{BrokerError, connect::fault};
use clawpool_core::task::Queue;

/// A deleted queue is declared again after this: a channel that has not heard of the deletion by then would take the new
/// queue for the old one, and the messages that the server gives it would go nowhere.
pub(super) const MOURNING: Duration = Duration::from_secs(1);

pub(super) fn deleted(queue: &ShortString) -> String {
    format!("queue {queue} was deleted; it is declared again in {MOURNING:?}")
}

/// The names of a pool's queues and exchanges, and how they are declared.
///
/// No argument depends on the configuration, so that no changed setting ever meets a queue declared otherwise (406):
/// limits are the gate's, lifetimes the messages' own. Other arguments mean another version in the name.
#[derive(Clone)]
pub(super) struct Topology {
    prefix: Arc<str>,
    queues: Arc<[ShortString; 6]>,
}

/// A queue and all that it needs.
#[derive(Clone)]
pub(super) struct Spec {
    pub(super) name: ShortString,
    arguments: FieldTable,
    /// Exchange bound to it, if it is not fed by name.
    exchange: Option<ShortString>,
    /// Queue for what the server gives up.
    dead: Option<Box<Spec>>,
}

impl Topology {
    /// The server counts deliveries; crashes are counted by the store. High enough never to meet an honest task.
    const DELIVERY_LIMIT: i32 = 1_000_000;
    /// An ingress message may take a broken connection down with it (headers no client can read): not for ever.
    const INGRESS_DELIVERY_LIMIT: i32 = 50;
    /// The oldest rejects go first: nobody may be reading them.
    const REJECTS: i32 = 100_000;

    pub(super) fn new(prefix: &str) -> Self {
        let queues = Queue::ALL.map(|queue| name(prefix, queue.name()));
        Self { prefix: prefix.into(), queues: queues.into() }
    }

    pub(super) fn queue_name(&self, queue: Queue) -> ShortString {
        self.queues[queue.index()].clone()
    }

    /// Where no queue is.
    pub(super) fn nobody(&self) -> ShortString {
        name(&self.prefix, "probe")
    }

    pub(super) fn queue(&self, queue: Queue) -> Spec {
        let dead = self.dead();
        let mut arguments = if queue == Queue::High {
            table([("x-queue-type", text("classic")), ("x-max-priority", AMQPValue::LongInt(10))])
        } else {
            quorum(Self::DELIVERY_LIMIT)
        };
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(dead.name.as_str()));
        if queue != Queue::High {
            // Keeps an expired message until the dead queue has confirmed it; asks for this overflow rule.
            arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
            arguments.insert("x-overflow".into(), text("reject-publish"));
        }
        Spec { name: self.queue_name(queue), arguments, exchange: None, dead: Some(Box::new(dead)) }
    }

    /// Where the server puts what it gives up.
    pub(super) fn dead(&self) -> Spec {
        Spec { name: name(&self.prefix, "dead"), arguments: quorum(Self::DELIVERY_LIMIT), exchange: None, dead: None }
    }

    /// Where producers that speak AMQP put new tasks.
    pub(super) fn ingress(&self) -> Spec {
        let rejects = self.rejects();
        let mut arguments = quorum(Self::INGRESS_DELIVERY_LIMIT);
        arguments.insert("x-dead-letter-exchange".into(), text(rejects.name.as_str()));
        let exchange = Some(format!("{}.ingress", self.prefix).into());
        Spec { name: name(&self.prefix, "ingress"), arguments, exchange, dead: Some(Box::new(rejects)) }
    }

    /// Where they find what was not taken, and why. Queue and exchange have one name.
    pub(super) fn rejects(&self) -> Spec {
        let name: ShortString = format!("{}.rejects", self.prefix).into();
        let mut arguments = quorum(Self::DELIVERY_LIMIT);
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(Self::REJECTS));
        Spec { name: name.clone(), arguments, exchange: Some(name), dead: None }
    }
}

fn name(prefix: &str, queue: &str) -> ShortString {
    format!("{prefix}.v1.{queue}").into()
}

impl Spec {
    /// Makes the queue where it is missing. Returns how many messages are ready in it.
    pub(super) async fn declare(&self, channel: &Channel) -> Result<u32, BrokerError> {
        if let Some(dead) = &self.dead {
            Box::pin(dead.declare(channel)).await?;
        }
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let queue = channel.queue_declare(self.name.clone(), durable, self.arguments.clone()).await;
        let ready = queue.map_err(|error| fault(&error))?.message_count();
        if let Some(exchange) = &self.exchange {
            self.bind(channel, exchange).await.map_err(|error| fault(&error))?;
        }
        Ok(ready)
    }

    /// Fanout: whatever routing key a producer chose.
    async fn bind(&self, channel: &Channel, exchange: &ShortString) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(exchange.clone(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;
        let options = QueueBindOptions::default();
        channel.queue_bind(self.name.clone(), exchange.clone(), "".into(), options, FieldTable::default()).await
    }
}

fn quorum(delivery_limit: i32) -> FieldTable {
    table([("x-queue-type", text("quorum")), ("x-delivery-limit", AMQPValue::LongInt(delivery_limit))])
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), value);
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
