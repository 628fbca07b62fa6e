//! The task that owns the publishing channel.
//!
//! Guarantees: it opens a channel again after any loss and where a queue does not store what comes over it,
//! and takes no more batches while too much is unconfirmed. Never does: wait for the confirms of one batch
//! before it sends the next.

use std::time::Duration;

use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use lapin::{Channel, options::ConfirmSelectOptions};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{Batch, confirms::PendingConfirms};
use crate::broker::rabbitmq::{
    BrokerError, OutgoingMessage,
    connect::{SLOW, broker_error, unavailable},
    recovering_connection::RecoveringConnection,
};

/// Messages sent and not confirmed yet, at most (one more batch apart).
const MAX_UNCONFIRMED: usize = 4096;
/// And their bytes: the client keeps a copy of each until it is written.
const MAX_UNCONFIRMED_BYTES: usize = 16 << 20;
/// How often missing confirms are logged while they are missing.
const AGAIN: Duration = Duration::from_secs(10);

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
        self.messages < MAX_UNCONFIRMED && self.bytes < MAX_UNCONFIRMED_BYTES
    }
}

/// A batch for which nothing is awaited any more.
struct Answered {
    size: Size,
    /// A queue did not store a message.
    refused: bool,
}

/// The publishing task. It ends when the last [`Publisher`] is gone.
pub(super) struct PublisherTask {
    connection: RecoveringConnection,
    confirm_timeout: Duration,
    channel: Option<OpenChannel>,
}

struct OpenChannel {
    /// The number of the connection that it belongs to.
    connection: u64,
    lapin: Channel,
    since: Instant,
}

impl OpenChannel {
    /// A channel that was opened before a quorum queue had its new leader asks the former one for ever, on a
    /// node that has died, and every message for that queue is refused. A new channel asks the new leader,
    /// once there is one: so not sooner than this.
    const ELECTION: Duration = Duration::from_millis(500);

    fn is_stale(&self) -> bool {
        self.since.elapsed() >= Self::ELECTION
    }
}

impl PublisherTask {
    pub(super) const fn new(connection: RecoveringConnection, confirm_timeout: Duration) -> Self {
        Self { connection, confirm_timeout, channel: None }
    }

    pub(super) async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        let mut pending: FuturesUnordered<BoxFuture<'static, Answered>> = FuturesUnordered::new();
        let mut unconfirmed = Size::default();
        // Since the last confirm, or since something waits for one.
        let mut silent = Instant::now();
        loop {
            tokio::select! {
                biased;
                Some(answered) = pending.next() => {
                    silent = Instant::now();
                    unconfirmed.messages -= answered.size.messages;
                    unconfirmed.bytes -= answered.size.bytes;
                    if answered.refused {
                        self.channel.take_if(|channel| channel.is_stale());
                    }
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
        if let Some(channel) = &self.channel
            && channel.connection == connection.number
            && channel.lapin.status().connected()
        {
            return Ok(channel.lapin.clone());
        }
        let open = async {
            let channel = connection.channel().await?;
            let confirm = channel.confirm_select(ConfirmSelectOptions::default()).await;
            confirm.map_err(|error| broker_error(&error)).map(|()| channel)
        };
        let opened = tokio::time::timeout_at(deadline, open).await;
        let channel = opened.unwrap_or_else(|_| Err(unavailable("no channel could be opened in time")));
        let lapin = channel.inspect_err(|_| self.connection.recheck())?;
        let since = Instant::now();
        self.channel = Some(OpenChannel { connection: connection.number, lapin: lapin.clone(), since });
        Ok(lapin)
    }

    fn send(
        &self,
        channel: Channel,
        batch: Batch,
        size: Size,
    ) -> impl Future<Output = Answered> + Send + use<> {
        let confirms = PendingConfirms {
            channel,
            connection: self.connection.clone(),
            confirm_timeout: self.confirm_timeout,
        };
        async move {
            let (outcomes, refused) = confirms.run(&batch.messages).await;
            // The caller may have gone; the messages are with the server all the same.
            let _ = batch.reply.send(outcomes);
            Answered { size, refused }
        }
    }
}
