//! The task that owns the publishing channel.
//!
//! Guarantees: it opens a channel again after any loss, and takes no more batches while too much is
//! unconfirmed. Never does: wait for the confirms of one batch before it sends the next.

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

/// The publishing task. It ends when the last [`Publisher`] is gone.
pub(super) struct PublisherTask {
    connection: RecoveringConnection,
    confirm_timeout: Duration,
    /// With the number of the connection that it belongs to.
    channel: Option<(u64, Channel)>,
}

impl PublisherTask {
    pub(super) const fn new(connection: RecoveringConnection, confirm_timeout: Duration) -> Self {
        Self { connection, confirm_timeout, channel: None }
    }

    pub(super) async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
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
