//! Publishes with confirms, many at once.
//!
//! Guarantees: each message has one outcome, in order, and `Confirmed` means that the server has it. Never
//! does: send a message after its time, or a second time.

mod confirms;
mod task;

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{BrokerError, NAME, OutgoingMessage, recovering_connection::RecoveringConnection};
use task::PublisherTask;

/// Hands batches to the publishing task. One task owns the channel: lapin numbers a message and queues its
/// frames in two steps, and two tasks doing so at once would get each other's confirms.
#[derive(Clone)]
pub(super) struct Publisher {
    batches: mpsc::Sender<Batch>,
    confirm_timeout: Duration,
}

struct Batch {
    messages: Vec<OutgoingMessage>,
    /// Not sent after this.
    deadline: Instant,
    reply: oneshot::Sender<Vec<PublishOutcome>>,
}

#[derive(Clone, Debug)]
pub(super) enum PublishOutcome {
    Confirmed,
    /// The server took it and found no queue for it.
    Unroutable,
    Failed(BrokerError),
}

impl PublishOutcome {
    /// The message was sent, and the server has not said what became of it.
    pub(super) fn unconfirmed(reason: impl Into<String>) -> Self {
        Self::Failed(BrokerError::Unconfirmed { broker: NAME, reason: reason.into() })
    }
}

impl Publisher {
    /// Bytes of one batch, a single longer message apart.
    const BATCH_BYTES: usize = 4 << 20;
    /// Batches that wait until more confirms have come.
    const MAX_WAITING: usize = 64;

    pub(super) fn start(connection: RecoveringConnection, confirm_timeout: Duration) -> Self {
        let (batches, queue) = mpsc::channel(Self::MAX_WAITING);
        let task = PublisherTask::new(connection, confirm_timeout);
        tokio::spawn(task.run(queue));
        Self { batches, confirm_timeout }
    }

    /// One outcome each, in order. A message that cannot be sent in time is not sent; each that was sent has
    /// the whole timeout to be confirmed.
    pub(super) async fn send(&self, mut messages: Vec<OutgoingMessage>) -> Vec<PublishOutcome> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let deadline = Instant::now() + self.confirm_timeout;
        while !messages.is_empty() {
            let rest = messages.split_off(fitting(&messages));
            outcomes.extend(self.send_batch(std::mem::replace(&mut messages, rest), deadline).await);
        }
        outcomes
    }

    async fn send_batch(&self, messages: Vec<OutgoingMessage>, deadline: Instant) -> Vec<PublishOutcome> {
        let count = messages.len();
        let (reply, outcomes) = oneshot::channel();
        let sent = self.batches.send(Batch { messages, deadline, reply }).await;
        match (sent, outcomes.await) {
            (Ok(()), Ok(outcomes)) => outcomes,
            _ => vec![PublishOutcome::unconfirmed("the publisher has stopped"); count],
        }
    }
}

/// How many messages go into one batch.
fn fitting(messages: &[OutgoingMessage]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&OutgoingMessage| {
        bytes += message.body.len();
        bytes <= Publisher::BATCH_BYTES
    };
    messages.iter().take_while(fits).count().max(1)
}

impl Batch {
    fn refuse(self, error: &BrokerError) {
        let outcomes = vec![PublishOutcome::Failed(error.clone()); self.messages.len()];
        // A caller that has gone needs no answer.
        let _ = self.reply.send(outcomes);
    }
}
