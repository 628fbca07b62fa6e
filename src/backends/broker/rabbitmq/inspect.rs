//! What a server is, and whether this configuration's user can work with it.
//!
//! Guarantees: nothing is left on the server: the one queue that is made for a moment is removed, and where
//! that fails the server removes it itself after a minute. Never does: touch a queue of tasks.

use std::time::{Duration, Instant};

use futures::{StreamExt, future::join_all, stream::BoxStream};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, Event,
    options::{
        BasicAckOptions, BasicGetOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    BrokerError,
    connect::{Role, address, broker_error, connect, connect_to, unavailable},
    greeting::Greeting,
    outgoing::OutgoingMessage,
};
use crate::install_tls;
use clawpool_core::config::{Rabbitmq, redact};

/// One address of the configuration, and what answers there.
#[derive(Clone, Debug)]
pub struct Node {
    /// Without its password.
    pub address: String,
    pub answer: Result<Answer, BrokerError>,
}

/// What a server says of itself.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `RabbitMQ`, or another program that speaks AMQP.
    pub product: String,
    pub version: String,
    /// To connect and to log in.
    pub took: Duration,
}

/// What the user of this configuration could not do.
#[derive(Clone, Debug)]
pub struct Hindrance {
    /// `make a quorum queue`, `write to a queue`, `read from a queue`.
    pub what: &'static str,
    pub error: BrokerError,
}

/// Asks every address, all at once.
pub async fn nodes(settings: &Rabbitmq, time: Duration) -> Vec<Node> {
    install_tls();
    let asked = settings.addresses().into_iter().map(|url| async move {
        let answer = ask(url, settings, time).await;
        Node { address: redact(url), answer }
    });
    join_all(asked).await
}

async fn ask(url: &str, settings: &Rabbitmq, time: Duration) -> Result<Answer, BrokerError> {
    let greeting = Greeting::default();
    let begun = Instant::now();
    let (connection, _) = connect_to(address(url, settings)?, &Role::Inspect(greeting.clone()), time).await?;
    let took = begun.elapsed();
    close(&connection).await;
    let property = |name| greeting.property(name).unwrap_or_else(|| "unknown".to_owned());
    Ok(Answer { product: property("product"), version: property("version"), took })
}

/// A close in good order, so that the server's log has no complaint.
async fn close(connection: &Connection) {
    let _ = connection.close(200, "inspected".into()).await;
}

/// Makes a quorum queue, writes to it, reads from it and removes it.
pub async fn probe(settings: &Rabbitmq, time: Duration) -> Result<(), Hindrance> {
    install_tls();
    let connecting = |error| Hindrance { what: "connect", error };
    // A server that lacks memory or disk stops to read a connection that has written: another one cleans up.
    let (own, _) = connect(settings, &Role::Consume, time).await.map_err(connecting)?;
    let (writing, events) = connect(settings, &Role::Publish, time).await.map_err(connecting)?;
    let name: ShortString = format!("{}.v1.doctor.{}", settings.prefix, uuid::Uuid::now_v7()).into();
    let done = try_out(&own, &writing, events, &name, settings.confirm_timeout).await;
    close(&own).await;
    drop(tokio::time::timeout(Duration::from_millis(200), close(&writing)).await);
    done
}

async fn try_out(
    own: &Connection,
    writing: &Connection,
    events: BoxStream<'static, Event>,
    name: &ShortString,
    patience: Duration,
) -> Result<(), Hindrance> {
    let hindered = |what| move |error| Hindrance { what, error };
    let channel = channel(own).await.map_err(hindered("open a channel"))?;
    declare(&channel, name).await.map_err(hindered("make a quorum queue"))?;
    let written = write(writing, events, name, patience).await.map_err(hindered("write to a queue"));
    let read = match written {
        Ok(()) => read(&channel, name).await.map_err(hindered("read from a queue")),
        failed => failed,
    };
    // A refusal has ended the channel.
    let cleaner = if channel.status().connected() { Ok(channel) } else { self::channel(own).await };
    if let Ok(channel) = cleaner {
        drop(channel.queue_delete(name.clone(), QueueDeleteOptions::default()).await);
    }
    read
}

async fn channel(connection: &Connection) -> Result<Channel, BrokerError> {
    connection.create_channel().await.map_err(|error| broker_error(&error))
}

/// For a minute at most, whatever becomes of this process.
async fn declare(channel: &Channel, name: &ShortString) -> Result<(), BrokerError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-expires".into(), AMQPValue::LongInt(60_000));
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.queue_declare(name.clone(), durable, arguments).await;
    declared.map(drop).map_err(|error| broker_error(&error))
}

/// A server without memory or disk says so, and does not confirm.
async fn write(
    connection: &Connection,
    events: BoxStream<'static, Event>,
    name: &ShortString,
    patience: Duration,
) -> Result<(), BrokerError> {
    let channel = channel(connection).await?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default()).await;
    confirms.map_err(|error| broker_error(&error))?;
    let message = OutgoingMessage::to_queue(name.clone(), BasicProperties::default(), "probe".into());
    tokio::select! {
        sent = message.send(&channel) => match sent.map_err(|error| broker_error(&error))? {
            Confirmation::Ack(None) => Ok(()),
            refused => Err(unavailable(format!("the message was not taken: {refused:?}"))),
        },
        reason = blocked(events) => Err(BrokerError::Blocked { broker: super::NAME, reason }),
        () = tokio::time::sleep(patience) => Err(unavailable(format!("no confirm within {patience:?}"))),
    }
}

async fn blocked(mut events: BoxStream<'static, Event>) -> String {
    while let Some(event) = events.next().await {
        if let Event::ConnectionBlocked(reason) = event {
            return reason;
        }
    }
    std::future::pending().await
}

async fn read(channel: &Channel, name: &ShortString) -> Result<(), BrokerError> {
    let got = channel.basic_get(name.clone(), BasicGetOptions::default()).await;
    let Some(message) = got.map_err(|error| broker_error(&error))? else {
        return Err(unavailable("the message that was confirmed is not there"));
    };
    message.ack(BasicAckOptions::default()).await.map(drop).map_err(|error| broker_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::rabbitmq::testing::{self, Rabbit};
    use clawpool_core::config::Config;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn each_address_is_asked() {
        let mut settings = Rabbit::fresh(Config::default()).await.config.rabbitmq;
        settings.url = format!("{}, amqp://ada:secret@127.0.0.1:1/%2f", testing::server()).into();
        let nodes = nodes(&settings, PATIENCE).await;
        let answer = nodes[0].answer.as_ref().unwrap();
        assert_eq!(answer.product, "RabbitMQ");
        assert!(answer.version.starts_with(char::is_numeric), "{}", answer.version);
        assert!(nodes[1].answer.is_err() && !format!("{nodes:?}").contains("secret"), "{nodes:?}");
    }

    #[tokio::test]
    async fn the_probe_works_and_leaves_nothing() {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let settings = &rabbit.config.rabbitmq;
        let (own, _) = connect(settings, &Role::Consume, PATIENCE).await.unwrap();
        let (writing, events) = connect(settings, &Role::Publish, PATIENCE).await.unwrap();
        let name: ShortString = format!("{}.probe", settings.prefix).into();
        try_out(&own, &writing, events, &name, PATIENCE).await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let gone = rabbit.channel().await.queue_declare(name, passive, FieldTable::default()).await;
        assert!(super::super::connect::is_not_found(&gone.unwrap_err()));
        probe(settings, PATIENCE).await.unwrap();
    }
}
