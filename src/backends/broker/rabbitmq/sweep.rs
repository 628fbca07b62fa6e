use std::sync::Arc;

use lapin::{BasicProperties, Channel, message::Delivery as Raw, options::BasicGetOptions};

use super::{
    BrokerError, Condemned, Depth, Fate, Parcel, Publisher, Topology,
    connect::{fault, patient},
    lines::{Line, Lines, Settle},
    link::Link,
    parcel::headers,
    wire,
};
use crate::broker::Delivery;
use clawpool_core::task::{DeadReason, Queue, WorkerId};

/// Looks into queues without consuming them: what the server has given up, and how full a queue is.
pub(super) struct Sweeper {
    link: Link,
    topology: Topology,
    lines: Arc<Lines>,
    publisher: Publisher,
}

impl Sweeper {
    pub(super) fn new(link: Link, topology: Topology, lines: Arc<Lines>, publisher: Publisher) -> Self {
        Self { link, topology, lines, publisher }
    }

    /// On a channel of its own, which lives until the last receipt is settled.
    pub(super) async fn sweep(&self, worker: WorkerId, limit: usize) -> Result<Vec<Condemned>, BrokerError> {
        let session = self.link.session()?;
        let look = async {
            let channel = session.channel().await?;
            self.topology.dead().declare(&channel).await.map(|ready| (channel, ready))
        };
        let (channel, ready) = patient("a look at the dead queue", look).await?;
        if ready == 0 {
            return Ok(Vec::new());
        }
        let line = self.lines.open(channel);
        let swept = self.collect(&line, worker, limit).await;
        self.lines.retire(&line);
        swept
    }

    async fn collect(&self, line: &Line, worker: WorkerId, limit: usize) -> Result<Vec<Condemned>, BrokerError> {
        let mut swept = Vec::new();
        while swept.len() < limit
            && let Some(raw) = get(&line.channel, &self.topology.dead().name).await?
        {
            line.note(raw.delivery_tag);
            match condemned(line, worker, &raw) {
                Some(condemned) => swept.push(condemned),
                None => self.discard(line, raw).await,
            }
        }
        Ok(swept)
    }

    /// Something that is not a task was in a queue of ours. It goes where people look for what was not taken.
    async fn discard(&self, line: &Line, raw: Raw) {
        let message = format!("a message of {} bytes on a task queue is not a task", raw.data.len());
        tracing::error!(%message, cause = wire::death(&raw.properties), "moved to the rejects");
        let properties = BasicProperties::default().with_headers(headers([("code", "CP-1205"), ("message", &message)]));
        let rejects = self.topology.rejects();
        let moved = match patient("the declaration of the rejects", rejects.declare(&line.channel)).await {
            Ok(_) => self.publisher.send(vec![Parcel::to_queue(rejects.name, properties, raw.data.into())]).await,
            Err(error) => vec![Fate::Failed(error)],
        };
        // If it could not be moved it stays held until this sweep's channel goes, and comes up again.
        if matches!(moved[..], [Fate::Stored]) {
            line.settle([raw.delivery_tag], Settle::Ack);
        }
    }

    pub(super) async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        patient("a look at a queue", self.look(queue)).await
    }

    async fn look(&self, queue: Queue) -> Result<Depth, BrokerError> {
        let channel = self.link.session()?.channel().await?;
        let ready = u64::from(self.topology.queue(queue).declare(&channel).await?);
        if ready == 0 {
            return Ok(Depth::default());
        }
        let head = get(&channel, &self.topology.queue_name(queue)).await?;
        let Some(head) = head else { return Ok(Depth { ready, oldest: None }) };
        // Back to the front at once; should this fail, the end of the channel does it.
        let requeue = lapin::options::BasicNackOptions { requeue: true, ..Default::default() };
        let returned = channel.basic_nack(head.delivery_tag, requeue).await;
        returned.map_err(|error| fault(&error))?;
        let oldest = wire::message(&head.properties, head.data).ok().map(|message| message.enqueued_at);
        Ok(Depth { ready, oldest })
    }
}

async fn get(channel: &Channel, queue: &lapin::types::ShortString) -> Result<Option<Raw>, BrokerError> {
    let got =
        async { channel.basic_get(queue.clone(), BasicGetOptions::default()).await.map_err(|error| fault(&error)) };
    patient("a look at a message", got).await.map(|got| got.map(|got| got.delivery))
}

fn condemned(line: &Line, worker: WorkerId, raw: &Raw) -> Option<Condemned> {
    let message = wire::message(&raw.properties, raw.data.clone()).ok()?;
    message.task().ok()?;
    let reason = match wire::death(&raw.properties) {
        Some("expired") => DeadReason::Expired,
        _ => DeadReason::Undeliverable,
    };
    let receipt = line.receipt(worker, message.priority.queue(), &message, raw.delivery_tag);
    Some(Condemned { delivery: Delivery { message, receipt }, reason })
}
