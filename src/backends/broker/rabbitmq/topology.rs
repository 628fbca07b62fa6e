use std::{sync::Arc, time::Duration};

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{BrokerError, connect::broker_error};
use clawpool_core::task::Queue;

/// A deleted queue is declared again after this: a channel that does not know of the deletion by then would
/// take the new queue for the old one, and messages delivered on it would be lost to their consumer.
pub(super) const REDECLARE_DELAY: Duration = Duration::from_secs(1);

pub(super) fn deleted(queue: &ShortString) -> String {
    format!("queue {queue} was deleted; it is declared again in {REDECLARE_DELAY:?}")
}

/// The names of a pool's queues and exchanges, and how they are declared.
///
/// No argument depends on the configuration, so that no changed setting ever meets a queue declared otherwise
/// (406): limits are kept by `QueueLimiter`, each message carries its own lifetime. Other arguments mean
/// another version in the name.
#[derive(Clone)]
pub(super) struct Topology {
    prefix: Arc<str>,
    queues: Arc<[ShortString; 6]>,
}

/// A queue, its arguments and the exchange and dead queue that it needs.
#[derive(Clone)]
pub(super) struct QueueSpec {
    pub(super) name: ShortString,
    arguments: FieldTable,
    /// Exchange bound to it, where messages do not come through the default exchange.
    exchange: Option<ShortString>,
    /// Queue for the messages that the server dead-letters.
    dead: Option<Box<QueueSpec>>,
}

impl Topology {
    /// The server counts deliveries, the store counts crashes. High enough that no task of a working pool
    /// reaches it.
    const DELIVERY_LIMIT: i32 = 1_000_000;
    /// A message whose headers no client can read ends the connection: it must not come again for ever.
    const INGRESS_DELIVERY_LIMIT: i32 = 50;
    /// At most so many rejects are kept, the newest: they may have no reader.
    const REJECTS: i32 = 100_000;

    pub(super) fn new(prefix: &str) -> Self {
        let queues = Queue::ALL.map(|queue| name(prefix, queue.name()));
        Self { prefix: prefix.into(), queues: queues.into() }
    }

    pub(super) fn queue_name(&self, queue: Queue) -> ShortString {
        self.queues[queue.index()].clone()
    }

    /// A routing key that no queue has.
    pub(super) fn probe_key(&self) -> ShortString {
        name(&self.prefix, "probe")
    }

    pub(super) fn queue(&self, queue: Queue) -> QueueSpec {
        let dead = self.dead();
        let mut arguments = if queue == Queue::High {
            table([("x-queue-type", text("classic")), ("x-max-priority", AMQPValue::LongInt(10))])
        } else {
            quorum(Self::DELIVERY_LIMIT)
        };
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(dead.name.as_str()));
        if queue != Queue::High {
            // Keeps an expired message until the dead queue has confirmed it. Needs this overflow rule.
            arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
            arguments.insert("x-overflow".into(), text("reject-publish"));
        }
        QueueSpec { name: self.queue_name(queue), arguments, exchange: None, dead: Some(Box::new(dead)) }
    }

    /// The queue for the messages that the server dead-letters.
    pub(super) fn dead(&self) -> QueueSpec {
        QueueSpec {
            name: name(&self.prefix, "dead"),
            arguments: quorum(Self::DELIVERY_LIMIT),
            exchange: None,
            dead: None,
        }
    }

    /// Where producers that speak AMQP put new tasks.
    pub(super) fn ingress(&self) -> QueueSpec {
        let rejects = self.rejects();
        let mut arguments = quorum(Self::INGRESS_DELIVERY_LIMIT);
        arguments.insert("x-dead-letter-exchange".into(), text(rejects.name.as_str()));
        let exchange = Some(format!("{}.ingress", self.prefix).into());
        QueueSpec { name: name(&self.prefix, "ingress"), arguments, exchange, dead: Some(Box::new(rejects)) }
    }

    /// Where producers find what was rejected, and why. Queue and exchange have one name.
    pub(super) fn rejects(&self) -> QueueSpec {
        let name: ShortString = format!("{}.rejects", self.prefix).into();
        let mut arguments = quorum(Self::DELIVERY_LIMIT);
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(Self::REJECTS));
        QueueSpec { name: name.clone(), arguments, exchange: Some(name), dead: None }
    }
}

fn name(prefix: &str, queue: &str) -> ShortString {
    format!("{prefix}.v1.{queue}").into()
}

impl QueueSpec {
    /// Makes the queue where it is missing. Returns how many messages are ready in it.
    pub(super) async fn declare(&self, channel: &Channel) -> Result<u32, BrokerError> {
        if let Some(dead) = &self.dead {
            Box::pin(dead.declare(channel)).await?;
        }
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let queue = channel.queue_declare(self.name.clone(), durable, self.arguments.clone()).await;
        let ready = queue.map_err(|error| broker_error(&error))?.message_count();
        if let Some(exchange) = &self.exchange {
            self.bind(channel, exchange).await.map_err(|error| broker_error(&error))?;
        }
        Ok(ready)
    }

    /// Fanout: whatever routing key a producer chose.
    async fn bind(&self, channel: &Channel, exchange: &ShortString) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel
            .exchange_declare(exchange.clone(), ExchangeKind::Fanout, durable, FieldTable::default())
            .await?;
        let options = QueueBindOptions::default();
        channel
            .queue_bind(self.name.clone(), exchange.clone(), "".into(), options, FieldTable::default())
            .await
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
