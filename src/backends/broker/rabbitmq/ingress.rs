mod window;

use std::sync::Arc;

use bytes::Bytes;
use lapin::{
    BasicProperties,
    message::Delivery as Raw,
    types::{AMQPValue, ShortString},
};

use self::window::Window;
use super::{
    BrokerError, ConsumerChannels, OutgoingMessage, PublishOutcome, Publisher, RecoveringConnection,
    RecoveringConsumer, Role, Settle, Topology,
    connect::{unavailable, with_timeout},
    outgoing::headers,
};
use clawpool_core::config::Rabbitmq;

/// The queue of the AMQP ingress, with the messages of producers, and the exchange for those that are
/// rejected.
pub struct IngressQueue {
    consumer: RecoveringConsumer,
    window: Window,
    /// Deliveries that came without their bodies, by channel and tag.
    postponed: Vec<(u64, u64)>,
    publisher: Publisher,
    publishing: RecoveringConnection,
    topology: Topology,
}

/// A message of a producer. The server keeps it until it is acknowledged.
#[derive(Clone, Debug)]
pub struct IngressMessage {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub message_id: Option<String>,
    pub correlation_id: Option<String>,
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
    channel: u64,
    tag: u64,
}

/// A message, or one task of it, for the exchange of the rejects.
#[derive(Clone, Debug)]
pub struct RejectedMessage {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub correlation_id: Option<String>,
    pub code: &'static str,
    pub message: String,
    pub field: Option<String>,
}

impl IngressQueue {
    pub async fn open(settings: &Rabbitmq) -> Result<Self, BrokerError> {
        let topology = Topology::new(&settings.prefix, settings.high);
        let window = Window::default();
        let consuming =
            RecoveringConnection::open(settings, Role::Ingress(window.body_limit.clone())).await?;
        let publishing = RecoveringConnection::open(settings, Role::Publish).await?;
        let consumer =
            RecoveringConsumer::new(consuming, Arc::new(ConsumerChannels::default()), topology.ingress());
        let publisher = Publisher::start(publishing.clone(), settings.confirm_timeout);
        Ok(Self { consumer, window, postponed: Vec::new(), publisher, publishing, topology })
    }

    /// Makes the exchange, and the queue behind it, where they are missing: a producer may come before the
    /// first consumer.
    pub async fn declare(&self) -> Result<(), BrokerError> {
        let spec = self.topology.ingress();
        let declare = async { spec.declare(&self.publishing.current()?.channel().await?).await };
        with_timeout("the declaration of the AMQP ingress", declare).await.map(drop)
    }

    /// Waits for a message, then takes those that are here already. `held` bytes of messages are not
    /// acknowledged yet: a long message waits at the server until there is room. Dropping the future loses
    /// none.
    pub async fn next(&mut self, held: u64) -> Result<Vec<IngressMessage>, BrokerError> {
        loop {
            if self.window.changes() {
                // A prefetch only changes with a new consumer.
                self.consumer.stop().await;
                self.window.change(held);
                self.requeue();
            }
            if !self.window.has_room(held) {
                std::future::pending::<()>().await;
            }
            let first = self.consumer.next(self.window.prefetch).await?;
            let mut messages = Vec::new();
            messages.extend(self.message(first));
            while let Some(raw) = self.consumer.ready() {
                messages.extend(self.message(raw));
            }
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    fn message(&mut self, raw: Raw) -> Option<IngressMessage> {
        let channel = self.consumer.channel()?.number;
        if let Some(size) = withheld_size(&raw) {
            self.postpone(channel, raw.delivery_tag, size);
            return None;
        }
        self.window.received(raw.data.len() as u64);
        let text = |field: &Option<ShortString>| field.as_ref().map(ToString::to_string);
        Some(IngressMessage {
            content_type: text(raw.properties.content_type()),
            message_id: text(raw.properties.message_id()),
            correlation_id: text(raw.properties.correlation_id()),
            traceparent: header(&raw, "traceparent"),
            tracestate: header(&raw, "tracestate"),
            body: raw.data.into(),
            channel,
            tag: raw.delivery_tag,
        })
    }

    /// A message came without its body, for want of room: it comes again when there is some. One that is
    /// longer than all room goes to the rejects, by the server itself.
    fn postpone(&mut self, channel: u64, tag: u64, size: u64) {
        if size > window::MAX_BODY {
            tracing::warn!(
                bytes = size,
                most = window::MAX_BODY,
                "a message longer than the AMQP ingress takes is rejected"
            );
            self.consumer.settle([tag], Settle::Reject);
        } else {
            self.window.withheld(size);
            self.postponed.push((channel, tag));
        }
    }

    /// Only while no consumer is there: the server would deliver them again at once.
    fn requeue(&mut self) {
        let channel = self.consumer.channel().map(|channel| channel.number);
        let postponed =
            std::mem::take(&mut self.postponed).into_iter().filter(|(number, _)| Some(*number) == channel);
        self.consumer.settle(postponed.map(|(_, tag)| tag), Settle::Requeue);
    }

    /// Whether the message can still be acknowledged. One of a lost connection comes again.
    pub fn holds(&self, message: &IngressMessage) -> bool {
        self.consumer.channel().is_some_and(|channel| channel.number == message.channel)
    }

    /// Acknowledges messages.
    pub fn ack<'a>(&self, messages: impl IntoIterator<Item = &'a IngressMessage>) {
        let held = messages.into_iter().filter(|message| self.holds(message));
        self.consumer.settle(held.map(|message| message.tag), Settle::Ack);
    }

    /// Publishes to the exchange of the rejects, durably. One answer each, in order.
    pub async fn publish_rejected(&self, rejected: Vec<RejectedMessage>) -> Vec<Result<(), BrokerError>> {
        if rejected.is_empty() {
            return Vec::new();
        }
        let count = rejected.len();
        match self.rejects_exchange().await {
            Ok(exchange) => {
                let messages =
                    rejected.into_iter().map(|message| message.outgoing(exchange.clone())).collect();
                self.publisher.send(messages).await.into_iter().map(answer).collect()
            }
            Err(error) => vec![Err(error); count],
        }
    }

    /// Declares the exchange of the rejects. Users may bind queues of their own to it.
    async fn rejects_exchange(&self) -> Result<ShortString, BrokerError> {
        let spec = self.topology.rejects();
        let declare = async { spec.declare(&self.publishing.current()?.channel().await?).await };
        with_timeout("the declaration of the rejects", declare).await?;
        Ok(spec.name)
    }
}

impl RejectedMessage {
    /// Cuts headers, so that all of them fit into one frame: longer ones would end the connection.
    fn outgoing(self, exchange: ShortString) -> OutgoingMessage {
        let mut table = headers([("code", self.code), ("message", &cut(self.message, 2000))]);
        if let Some(field) = self.field {
            table.insert("field".into(), AMQPValue::LongString(cut(field, 200).into()));
        }
        let id: ShortString = uuid::Uuid::now_v7().to_string().into();
        let mut properties =
            BasicProperties::default().with_headers(table).with_message_id(id).with_delivery_mode(2);
        if let Some(content_type) = self.content_type.and_then(|text| ShortString::try_new(text).ok()) {
            properties = properties.with_content_type(content_type);
        }
        if let Some(correlation_id) = self.correlation_id.and_then(|text| ShortString::try_new(text).ok()) {
            properties = properties.with_correlation_id(correlation_id);
        }
        OutgoingMessage { exchange, routing_key: "".into(), properties, body: self.body, mandatory: true }
    }
}

/// The size of the body, where the frame filter has withheld it.
fn withheld_size(raw: &Raw) -> Option<u64> {
    raw.properties.cluster_id().as_ref()?.as_str().parse().ok()
}

/// A header that is a text.
fn header(raw: &Raw, name: &str) -> Option<String> {
    match raw.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(ToOwned::to_owned),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// The beginning of a text that a producer wrote.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

fn answer(outcome: PublishOutcome) -> Result<(), BrokerError> {
    match outcome {
        PublishOutcome::Confirmed => Ok(()),
        PublishOutcome::Unroutable => Err(unavailable("the rejects queue has just been deleted")),
        PublishOutcome::Failed(error) => Err(error),
    }
}
