use std::time::Duration;

use bytes::Bytes;
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable, ShortString},
};

/// A message to publish.
#[derive(Clone)]
pub(super) struct OutgoingMessage {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
    /// It must reach a queue.
    pub(super) mandatory: bool,
}

impl OutgoingMessage {
    /// For a queue by its name.
    pub(super) fn to_queue(queue: ShortString, properties: BasicProperties, body: Bytes) -> Self {
        let persistent = properties.with_delivery_mode(2);
        Self { exchange: "".into(), routing_key: queue, properties: persistent, body, mandatory: true }
    }

    /// For no queue: the server takes it, if it takes messages at all, and drops it.
    pub(super) fn probe(routing_key: ShortString) -> Self {
        let properties = BasicProperties::default();
        let body = Bytes::new();
        Self { exchange: "".into(), routing_key, properties, body, mandatory: false }
    }

    /// Hands it to the connection at the first poll; done when the server has confirmed it. A queue that is
    /// just being made refuses: it gets a moment, and the message again.
    pub(super) async fn send(&self, channel: &Channel) -> lapin::Result<Confirmation> {
        for pause in [10, 50, 250] {
            match self.publish(channel).await? {
                Confirmation::Nack(None) => tokio::time::sleep(Duration::from_millis(pause)).await,
                confirmation => return Ok(confirmation),
            }
        }
        self.publish(channel).await
    }

    async fn publish(&self, channel: &Channel) -> lapin::Result<Confirmation> {
        let options = BasicPublishOptions { mandatory: self.mandatory, ..Default::default() };
        let exchange = self.exchange.clone();
        let key = self.routing_key.clone();
        channel.basic_publish(exchange, key, options, &self.body, self.properties.clone()).await?.await
    }

    pub(super) fn id(&self) -> Option<&ShortString> {
        self.properties.message_id().as_ref()
    }
}

/// Headers, from short texts.
pub(super) fn headers<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert(key.into(), AMQPValue::LongString(value.into()));
    }
    table
}
