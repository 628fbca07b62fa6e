use std::{sync::Arc, time::Duration};

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    BrokerError,
    connect::{broker_error, is_not_found},
};
use clawpool_core::{config::HighQueues, task::Queue};

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
    /// Of the priorities' own queues.
    classes: Arc<[ShortString; Queue::CLASSES.len()]>,
    high: HighQueues,
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

    pub(super) fn new(prefix: &str, high: HighQueues) -> Self {
        let classes = Queue::CLASSES.map(|queue| {
            let shared = high == HighQueues::Priority && is_high(queue);
            name(prefix, if shared { SHARED } else { queue.name() })
        });
        Self { prefix: prefix.into(), classes: classes.into(), high }
    }

    /// Where new messages of a queue go.
    pub(super) fn queue_name(&self, queue: Queue) -> ShortString {
        if queue.is_class() {
            self.classes[queue.priority().index()].clone()
        } else {
            name(&self.prefix, queue.name())
        }
    }

    /// A routing key that no queue has.
    pub(super) fn probe_key(&self) -> ShortString {
        name(&self.prefix, "probe")
    }

    /// The queue to which new messages go.
    pub(super) fn queue(&self, queue: Queue) -> QueueSpec {
        if self.high == HighQueues::Priority && is_high(queue) {
            return self.shared();
        }
        self.tasks(self.queue_name(queue), quorum(Self::DELIVERY_LIMIT), true)
    }

    /// The queue that a worker of this one consumes. None for P3 where that of P2 carries both.
    pub(super) fn consumed(&self, queue: Queue) -> Option<QueueSpec> {
        let is_carried = self.high == HighQueues::Priority && queue == Queue::P3;
        (!is_carried).then(|| self.queue(queue))
    }

    /// Where messages of this queue may wait that came before the setting was changed, or from an earlier
    /// version, which has one queue for P2 and P3.
    pub(super) fn before(&self, queue: Queue) -> Option<QueueSpec> {
        match self.high {
            HighQueues::Quorum => (queue == Queue::P2).then(|| self.shared()),
            HighQueues::Priority => is_high(queue)
                .then(|| self.tasks(name(&self.prefix, queue.name()), quorum(Self::DELIVERY_LIMIT), true)),
        }
    }

    /// One classic queue with priorities for P2 and P3.
    fn shared(&self) -> QueueSpec {
        let arguments =
            table([("x-queue-type", text("classic")), ("x-max-priority", AMQPValue::LongInt(10))]);
        self.tasks(name(&self.prefix, SHARED), arguments, false)
    }

    fn tasks(&self, name: ShortString, mut arguments: FieldTable, is_quorum: bool) -> QueueSpec {
        let dead = self.dead();
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(dead.name.as_str()));
        if is_quorum {
            // Keeps an expired message until the dead queue has confirmed it. Needs this overflow rule.
            arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
            arguments.insert("x-overflow".into(), text("reject-publish"));
        }
        QueueSpec { name, arguments, exchange: None, dead: Some(Box::new(dead)) }
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

/// The name of the classic queue of P2 and P3.
const SHARED: &str = "high";

fn is_high(queue: Queue) -> bool {
    queue == Queue::P2 || queue == Queue::P3
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

    /// Whether the queue is there, without making it. On a channel of its own: a no ends the channel.
    pub(super) async fn exists(&self, channel: &Channel) -> Result<bool, BrokerError> {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        match channel.queue_declare(self.name.clone(), passive, FieldTable::default()).await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(broker_error(&error)),
        }
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
