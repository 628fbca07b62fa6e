use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lapin::{BasicProperties, Channel, message::Delivery as Raw, options::BasicGetOptions};

use super::{
    BrokerError, DeadLettered, Depth, OutgoingMessage, PublishOutcome, Publisher, Topology,
    channels::{ConsumerChannel, ConsumerChannels, Settle},
    connect::{broker_error, with_timeout},
    outgoing::headers,
    recovering_connection::RecoveringConnection,
    topology::QueueSpec,
    wire,
};
use crate::broker::Delivery;
use clawpool_core::task::{DeadReason, ProcessId, Queue};

/// Reads queues with `basic.get`, without a consumer: the dead-lettered messages, and how full a queue is.
pub(super) struct QueueReader {
    connection: RecoveringConnection,
    topology: Topology,
    channels: Arc<ConsumerChannels>,
    publisher: Publisher,
    /// Earlier queues that were not there, and when to look for them again.
    missing: Mutex<HashMap<Queue, Instant>>,
}

/// How often an earlier queue is looked for that was not there.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl QueueReader {
    pub(super) fn new(
        connection: RecoveringConnection,
        topology: Topology,
        channels: Arc<ConsumerChannels>,
        publisher: Publisher,
    ) -> Self {
        Self { connection, topology, channels, publisher, missing: Mutex::default() }
    }

    /// On a channel of its own, which lives until the last receipt is settled.
    pub(super) async fn take_dead_lettered(
        &self,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        let connection = self.connection.current()?;
        let declare = async {
            let channel = connection.channel().await?;
            self.topology.dead().declare(&channel).await.map(|ready| (channel, ready))
        };
        let (channel, ready) = with_timeout("the declaration of the dead queue", declare).await?;
        if ready == 0 {
            return Ok(Vec::new());
        }
        let channel = self.channels.open(channel);
        let taken = self.collect(&channel, worker, limit).await;
        self.channels.retire(&channel);
        taken
    }

    async fn collect(
        &self,
        channel: &ConsumerChannel,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(raw) = get(&channel.lapin, &self.topology.dead().name).await?
        {
            channel.delivered(raw.delivery_tag);
            match dead_lettered(channel, worker, &raw) {
                Some(dead_lettered) => taken.push(dead_lettered),
                None => self.discard(channel, raw).await,
            }
        }
        Ok(taken)
    }

    /// A message that is not a task was in a task queue. It goes to the rejects.
    async fn discard(&self, channel: &ConsumerChannel, raw: Raw) {
        let message = format!("a message of {} bytes on a task queue is not a task", raw.data.len());
        tracing::error!(%message, cause = wire::dead_letter_reason(&raw.properties), "moved to the rejects");
        let properties =
            BasicProperties::default().with_headers(headers([("code", "CP-1205"), ("message", &message)]));
        let rejects = self.topology.rejects();
        let moved =
            match with_timeout("the declaration of the rejects", rejects.declare(&channel.lapin)).await {
                Ok(_) => {
                    self.publisher
                        .send(vec![OutgoingMessage::to_queue(rejects.name, properties, raw.data.into())])
                        .await
                }
                Err(error) => vec![PublishOutcome::Failed(error)],
            };
        // If it could not be moved, it is held until this channel closes, and is delivered again.
        if matches!(moved[..], [PublishOutcome::Confirmed]) {
            channel.settle([raw.delivery_tag], Settle::Ack);
        }
    }

    pub(super) async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        with_timeout("the depth of a queue", self.read_depth(queue)).await
    }

    async fn read_depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        let mut whole = Depth::default();
        let places = self.topology.consumed(queue).into_iter().chain(self.moved_from(queue).await?);
        for place in places {
            let Depth { ready, oldest } = self.depth_of(&place).await?;
            whole.ready += ready;
            whole.oldest = whole.oldest.into_iter().chain(oldest).min();
        }
        Ok(whole)
    }

    /// Where messages of the queue may wait that came before it moved, if that is there. A queue that is not
    /// there is looked for again after a while: an earlier version's process may make it.
    pub(super) async fn moved_from(&self, queue: Queue) -> Result<Option<QueueSpec>, BrokerError> {
        let Some(before) = self.topology.before(queue) else { return Ok(None) };
        if self.missing_until(queue).is_some_and(|until| Instant::now() < until) {
            return Ok(None);
        }
        let channel = self.connection.current()?.channel().await?;
        let exists = with_timeout("the look for an earlier queue", before.exists(&channel)).await?;
        if !exists {
            self.missing().insert(queue, Instant::now() + LOOK_AGAIN);
        }
        Ok(exists.then_some(before))
    }

    fn missing_until(&self, queue: Queue) -> Option<Instant> {
        self.missing().get(&queue).copied()
    }

    fn missing(&self) -> MutexGuard<'_, HashMap<Queue, Instant>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn depth_of(&self, place: &QueueSpec) -> Result<Depth, BrokerError> {
        let channel = self.connection.current()?.channel().await?;
        let ready = u64::from(place.declare(&channel).await?);
        if ready == 0 {
            return Ok(Depth::default());
        }
        let head = get(&channel, &place.name).await?;
        let Some(head) = head else { return Ok(Depth { ready, oldest: None }) };
        // Back to the front at once; should this fail, the end of the channel does it.
        let requeue = lapin::options::BasicNackOptions { requeue: true, ..Default::default() };
        let returned = channel.basic_nack(head.delivery_tag, requeue).await;
        returned.map_err(|error| broker_error(&error))?;
        let oldest = wire::message(&head.properties, head.data).ok().map(|message| message.enqueued_at);
        Ok(Depth { ready, oldest })
    }
}

async fn get(channel: &Channel, queue: &lapin::types::ShortString) -> Result<Option<Raw>, BrokerError> {
    let got = async {
        channel
            .basic_get(queue.clone(), BasicGetOptions::default())
            .await
            .map_err(|error| broker_error(&error))
    };
    with_timeout("a message of a queue", got).await.map(|got| got.map(|got| got.delivery))
}

fn dead_lettered(channel: &ConsumerChannel, worker: ProcessId, raw: &Raw) -> Option<DeadLettered> {
    let message = wire::message(&raw.properties, raw.data.clone()).ok()?;
    message.task().ok()?;
    let reason = match wire::dead_letter_reason(&raw.properties) {
        Some("expired") => DeadReason::Expired,
        _ => DeadReason::Undeliverable,
    };
    let receipt = channel.receipt(worker, &message, raw.delivery_tag);
    Some(DeadLettered { delivery: Delivery { message, receipt }, reason })
}
