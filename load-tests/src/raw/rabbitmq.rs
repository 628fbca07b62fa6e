//! Persistent messages with a window of 1,000 confirms; a consumer with a prefetch of 1,000 that acknowledges
//! every hundred at once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};
use tokio::time::sleep;

use super::{BODY, Took};
use crate::site::Site;

const WINDOW: usize = 1000;
const ACK_EVERY: usize = 100;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Quorum,
    /// Classic, with ten priorities.
    Priority,
}

pub async fn run(site: &Site, kind: Kind, tasks: usize) -> Result<Took> {
    let queue = format!("load-{}", uuid::Uuid::new_v4().simple());
    let connection = Connection::connect(&site.servers.rabbitmq, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare(&channel, &queue, kind).await?;
    let started = Instant::now();
    let mut properties = BasicProperties::default();
    if matches!(kind, Kind::Priority) {
        properties = properties.with_priority(10);
    }
    put(&channel, ["", &queue], &[b'x'; BODY], properties, tasks).await?;
    let put = started.elapsed();
    let consuming = connection.create_channel().await?;
    let started = Instant::now();
    get(&consuming, &queue, tasks).await?;
    let took = Took { put, got: started.elapsed() };
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    connection.close(200, "".into()).await?;
    Ok(took)
}

async fn declare(channel: &Channel, queue: &str, kind: Kind) -> Result<()> {
    let mut arguments = FieldTable::default();
    match kind {
        Kind::Quorum => arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into())),
        Kind::Priority => arguments.insert("x-max-priority".into(), AMQPValue::LongInt(10)),
    };
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), durable, arguments).await?;
    Ok(channel.confirm_select(ConfirmSelectOptions::default()).await?)
}

/// Until a program consumes a queue: a dispatcher serves HTTP a moment before it takes tasks by AMQP.
pub async fn consumed(url: &str, queue: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_consumed(url, queue).await.unwrap_or(false) {
        ensure!(Instant::now() < deadline, "no program consumes the queue {queue}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// An error while there is no such queue. It closes the channel, so each look has a connection of its own.
async fn is_consumed(url: &str, queue: &str) -> Result<bool> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let found = connection
        .create_channel()
        .await?
        .queue_declare(queue.into(), passive, FieldTable::default())
        .await?;
    connection.close(200, "".into()).await?;
    Ok(found.consumer_count() > 0)
}

/// Publishes the same body many times to an exchange, as any producer of the outside would.
pub async fn publish(url: &str, exchange: &str, body: &[u8], tasks: usize) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let properties = BasicProperties::default().with_content_type("application/json".into());
    put(&channel, [exchange, ""], body, properties, tasks).await?;
    Ok(connection.close(200, "".into()).await?)
}

/// To an exchange and routing key.
async fn put(
    channel: &Channel,
    to: [&str; 2],
    body: &[u8],
    properties: BasicProperties,
    tasks: usize,
) -> Result<()> {
    let properties = properties.with_delivery_mode(2);
    let [exchange, key] = to.map(lapin::types::ShortString::from);
    let mut confirms = VecDeque::with_capacity(WINDOW);
    for _ in 0..tasks {
        if confirms.len() == WINDOW
            && let Some(confirm) = confirms.pop_front()
        {
            confirmed(confirm).await?;
        }
        let options = BasicPublishOptions::default();
        confirms.push_back(
            channel.basic_publish(exchange.clone(), key.clone(), options, body, properties.clone()).await?,
        );
    }
    for confirm in confirms {
        confirmed(confirm).await?;
    }
    Ok(())
}

async fn confirmed(confirm: impl Future<Output = lapin::Result<Confirmation>>) -> Result<()> {
    ensure!(confirm.await?.is_ack(), "RabbitMQ refused a message");
    Ok(())
}

async fn get(channel: &Channel, queue: &str, tasks: usize) -> Result<()> {
    channel.basic_qos(u16::try_from(WINDOW)?, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    for number in 1..=tasks {
        let delivery = consumer.next().await.context("RabbitMQ ended the consumer")??;
        if number % ACK_EVERY == 0 || number == tasks {
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await?;
        }
    }
    // A dropped consumer is cancelled in the background, and its answer would meet a channel that is closing.
    Ok(channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?)
}
