//! What the version before left behind, brought back onto servers of today: see README.md.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clawpool_core::task::TaskId;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::support::Servers;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/it/upgrade");
/// What the names of queues and exchanges begin with in the recording.
const PREFIX: &str = "\"recorded.";

/// The tasks of a recording, by the name that says in which state they were.
#[derive(Deserialize)]
pub struct Tasks {
    tasks: BTreeMap<String, TaskId>,
}

#[derive(Deserialize)]
struct Cluster {
    redis: Vec<Key>,
    rabbitmq: RabbitMq,
}

#[derive(Deserialize)]
struct Key {
    key: Hex,
    /// In milliseconds; 0 for ever.
    ttl: u64,
    dump: Hex,
}

#[derive(Deserialize)]
struct RabbitMq {
    queues: Vec<Queue>,
    exchanges: Vec<Exchange>,
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
struct Queue {
    name: String,
    arguments: Map<String, Value>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    content_type: String,
    message_id: String,
    #[serde(default)]
    priority: u8,
    #[serde(default)]
    timestamp: u64,
    headers: Map<String, Value>,
    body: Hex,
}

#[derive(Deserialize)]
struct Exchange {
    name: String,
}

#[derive(Deserialize)]
struct Binding {
    source_name: String,
    destination_name: String,
}

/// Bytes, written as hexadecimal digits.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16);
        Ok(Self((0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>()?))
    }
}

impl Tasks {
    /// Those whose name begins so; there is at least one.
    pub fn named(&self, start: &str) -> Vec<TaskId> {
        let named = self.tasks.iter().filter(|(name, _)| name.starts_with(start));
        let ids: Vec<_> = named.map(|(_, id)| *id).collect();
        assert!(!ids.is_empty(), "no task was recorded as {start:?}");
        ids
    }

    pub fn one(&self, name: &str) -> TaskId {
        self.tasks[name]
    }

    pub fn all(&self) -> Vec<TaskId> {
        self.tasks.values().copied().collect()
    }
}

pub fn database() -> PathBuf {
    Path::new(FOLDER).join("embedded.db")
}

pub fn embedded() -> Tasks {
    parse(&text("embedded.json"))
}

/// Fills Redis and RabbitMQ as they were, under the prefix of `servers`.
pub async fn cluster(servers: &Servers) -> Tasks {
    let text = text("cluster.json").replace(PREFIX, &format!("\"{}.", servers.prefix));
    let cluster: Cluster = parse(&text);
    cluster.restore_keys(servers).await;
    cluster.rabbitmq.restore(servers).await;
    parse(&text)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(FOLDER).join(name)).unwrap()
}

fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

impl Cluster {
    async fn restore_keys(&self, servers: &Servers) {
        let client = redis::Client::open(servers.redis.as_str()).unwrap();
        let mut link = client.get_multiplexed_async_connection().await.unwrap();
        for Key { key, ttl, dump } in &self.redis {
            let name = [format!("{{{}}}", servers.prefix).as_bytes(), &key.0].concat();
            let mut restore = redis::cmd("RESTORE");
            restore.arg(name).arg(ttl).arg(&dump.0);
            restore.exec_async(&mut link).await.expect("a Redis as old as 7.0, or newer");
        }
    }
}

impl RabbitMq {
    async fn restore(&self, servers: &Servers) {
        let connection =
            Connection::connect(&servers.rabbitmq, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for exchange in &self.exchanges {
            let name = exchange.name.clone();
            let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
            channel
                .exchange_declare(name.into(), ExchangeKind::Fanout, durable, FieldTable::default())
                .await
                .unwrap();
        }
        for queue in &self.queues {
            queue.restore(&channel).await;
        }
        for Binding { source_name, destination_name } in &self.bindings {
            let queue = destination_name.clone().into();
            let exchange = source_name.clone().into();
            let options = QueueBindOptions::default();
            channel.queue_bind(queue, exchange, "".into(), options, FieldTable::default()).await.unwrap();
        }
        connection.close(200, "done".into()).await.unwrap();
    }
}

impl Queue {
    async fn restore(&self, channel: &Channel) {
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(self.name.clone().into(), durable, table(&self.arguments)).await.unwrap();
        for message in &self.messages {
            let queue = self.name.clone().into();
            let options = BasicPublishOptions::default();
            let sent =
                channel.basic_publish("".into(), queue, options, &message.body.0, message.properties());
            assert!(sent.await.unwrap().await.unwrap().is_ack(), "{} takes no message", self.name);
        }
    }
}

impl Message {
    fn properties(&self) -> BasicProperties {
        BasicProperties::default()
            .with_content_type(self.content_type.clone().into())
            .with_message_id(self.message_id.clone().into())
            .with_priority(self.priority)
            .with_timestamp(self.timestamp)
            .with_headers(table(&self.headers))
            .with_delivery_mode(2)
    }
}

fn table(values: &Map<String, Value>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in values {
        let value = match value {
            Value::String(text) => AMQPValue::LongString(text.as_str().into()),
            value => AMQPValue::LongLongInt(value.as_i64().unwrap()),
        };
        table.insert(name.as_str().into(), value);
    }
    table
}
