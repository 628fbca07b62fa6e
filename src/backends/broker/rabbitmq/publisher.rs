use std::time::Duration;

use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use lapin::{Channel, Confirmation, options::ConfirmSelectOptions};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    BrokerError, NAME, OutgoingMessage,
    connect::{SLOW, broker_error, unavailable},
    recovering_connection::{RecoveringConnection, State},
};

/// Publishes with confirms, many at once. One task owns the channel: lapin numbers a message and queues its
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

/// A number of messages and of their bytes.
#[derive(Clone, Copy, Default)]
struct Size {
    messages: usize,
    bytes: usize,
}

impl Size {
    fn of(messages: &[OutgoingMessage]) -> Self {
        Self { messages: messages.len(), bytes: messages.iter().map(|message| message.body.len()).sum() }
    }

    const fn has_room(self) -> bool {
        self.messages < Publisher::MAX_UNCONFIRMED && self.bytes < Publisher::MAX_UNCONFIRMED_BYTES
    }
}

impl Publisher {
    /// Messages sent and not confirmed yet, at most (one more batch apart).
    const MAX_UNCONFIRMED: usize = 4096;
    /// And their bytes: the client keeps a copy of each until it is written.
    const MAX_UNCONFIRMED_BYTES: usize = 16 << 20;
    /// Bytes of one batch, a single longer message apart.
    const BATCH_BYTES: usize = 4 << 20;
    /// Batches that wait until more confirms have come.
    const MAX_WAITING: usize = 64;

    pub(super) fn start(connection: RecoveringConnection, confirm_timeout: Duration) -> Self {
        let (batches, queue) = mpsc::channel(Self::MAX_WAITING);
        let task = PublisherTask { connection, confirm_timeout, channel: None };
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

/// How often missing confirms are logged while they are missing.
const AGAIN: Duration = Duration::from_secs(10);

/// The publishing task. It ends when the last [`Publisher`] is gone.
struct PublisherTask {
    connection: RecoveringConnection,
    confirm_timeout: Duration,
    /// With the number of the connection that it belongs to.
    channel: Option<(u64, Channel)>,
}

impl PublisherTask {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        let mut pending: FuturesUnordered<BoxFuture<'static, Size>> = FuturesUnordered::new();
        let mut unconfirmed = Size::default();
        // Since the last confirm, or since something waits for one.
        let mut silent = Instant::now();
        loop {
            tokio::select! {
                biased;
                Some(answered) = pending.next() => {
                    silent = Instant::now();
                    unconfirmed.messages -= answered.messages;
                    unconfirmed.bytes -= answered.bytes;
                }
                batch = batches.recv(), if unconfirmed.has_room() => {
                    let Some(batch) = batch else { return };
                    match self.channel(batch.deadline).await {
                        Ok(channel) => {
                            let size = Size::of(&batch.messages);
                            if pending.is_empty() {
                                silent = Instant::now();
                            }
                            unconfirmed.messages += size.messages;
                            unconfirmed.bytes += size.bytes;
                            pending.push(self.send(channel, batch, size).boxed());
                        }
                        Err(error) => batch.refuse(&error),
                    }
                }
                () = sleep_until(silent + SLOW), if !pending.is_empty() => {
                    tracing::warn!(messages = unconfirmed.messages, "RabbitMQ has confirmed nothing for \
                        {SLOW:?}");
                    // Logged again while it lasts.
                    silent = Instant::now() + AGAIN;
                }
            }
        }
    }

    /// A channel on which a batch can be sent before its deadline.
    async fn channel(&mut self, deadline: Instant) -> Result<Channel, BrokerError> {
        let connection = self.connection.current()?;
        if Instant::now() >= deadline {
            return Err(unavailable("what was sent before is not confirmed yet"));
        }
        if let Some((number, channel)) = &self.channel
            && *number == connection.number
            && channel.status().connected()
        {
            return Ok(channel.clone());
        }
        let open = async {
            let channel = connection.channel().await?;
            let confirm = channel.confirm_select(ConfirmSelectOptions::default()).await;
            confirm.map_err(|error| broker_error(&error)).map(|()| channel)
        };
        let opened = tokio::time::timeout_at(deadline, open).await;
        let channel = opened.unwrap_or_else(|_| Err(unavailable("no channel could be opened in time")));
        let channel = channel.inspect_err(|_| self.connection.recheck())?;
        self.channel = Some((connection.number, channel.clone()));
        Ok(channel)
    }

    fn send(&self, channel: Channel, batch: Batch, size: Size) -> impl Future<Output = Size> + Send + use<> {
        let confirms = PendingConfirms {
            channel,
            connection: self.connection.clone(),
            confirm_timeout: self.confirm_timeout,
        };
        async move {
            // The caller may have gone; the messages are with the server all the same.
            let _ = batch.reply.send(confirms.run(&batch.messages).await);
            size
        }
    }
}

impl Batch {
    fn refuse(self, error: &BrokerError) {
        let outcomes = vec![PublishOutcome::Failed(error.clone()); self.messages.len()];
        // A caller that has gone needs no answer.
        let _ = self.reply.send(outcomes);
    }
}

/// A batch that was sent and whose confirms are awaited.
struct PendingConfirms {
    channel: Channel,
    connection: RecoveringConnection,
    confirm_timeout: Duration,
}

impl PendingConfirms {
    /// How long confirms may still come after the server said that it is blocked. What it had read before it
    /// confirms at once; what it had not read, it may take whenever it recovers.
    const BLOCKED_GRACE: Duration = Duration::from_secs(1);

    async fn run(self, messages: &[OutgoingMessage]) -> Vec<PublishOutcome> {
        let started = Instant::now();
        let sends = messages.iter().enumerate();
        let mut sends: FuturesUnordered<_> =
            sends.map(|(index, message)| message.send(&self.channel).map(move |end| (index, end))).collect();
        let mut ends: Vec<Option<lapin::Result<Confirmation>>> = messages.iter().map(|_| None).collect();
        let late = self.too_late(started + self.confirm_timeout);
        tokio::pin!(late);
        loop {
            tokio::select! {
                biased;
                next = sends.next() => match next {
                    Some((index, end)) => ends[index] = Some(end),
                    None => break,
                },
                () = &mut late => break,
            }
        }
        self.outcomes(messages, ends, started.elapsed())
    }

    /// Waits until `deadline`, or until `BLOCKED_GRACE` after the server was blocked.
    async fn too_late(&self, deadline: Instant) {
        let mut state: watch::Receiver<State> = self.connection.state();
        let blocked = state.wait_for(|state| matches!(state, State::Blocked(..)));
        tokio::select! {
            () = sleep_until(deadline) => {}
            Ok(_) = blocked.map(|seen| seen.map(drop)) => {
                sleep_until(deadline.min(Instant::now() + Self::BLOCKED_GRACE)).await;
            }
        }
    }

    fn outcomes(
        &self,
        messages: &[OutgoingMessage],
        ends: Vec<Option<lapin::Result<Confirmation>>>,
        waited: Duration,
    ) -> Vec<PublishOutcome> {
        let mut returned = Vec::new();
        let mut outcomes = Vec::with_capacity(ends.len());
        for end in ends {
            outcomes.push(match end {
                None => PublishOutcome::unconfirmed(format!("no answer within {waited:?}")),
                Some(Err(error)) => {
                    self.connection.recheck();
                    match broker_error(&error) {
                        refused @ BrokerError::Refused { .. } => PublishOutcome::Failed(refused),
                        error => PublishOutcome::unconfirmed(error.to_string()),
                    }
                }
                Some(Ok(Confirmation::Nack(None))) => {
                    PublishOutcome::unconfirmed("the queue could not store the message")
                }
                Some(Ok(confirmation)) => {
                    returned.extend(confirmation.take_message());
                    PublishOutcome::Confirmed
                }
            });
        }
        // lapin hands a returned message to any one of those confirmed with it: its own id tells which one it
        // is.
        for returned in returned {
            let id = returned.delivery.properties.message_id().as_ref();
            for (message, outcome) in
                messages.iter().zip(&mut outcomes).filter(|(message, _)| message.id() == id)
            {
                tracing::error!(queue = %message.routing_key, exchange = %message.exchange, "no queue takes \
                    the message");
                *outcome = PublishOutcome::Unroutable;
            }
        }
        outcomes
    }
}
