use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use lapin::{
    message::Delivery,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{
    BrokerError,
    channels::{ConsumerChannel, ConsumerChannels, Settle},
    connect::{broker_error, unavailable, with_timeout},
    recovering_connection::{BACKOFF, OpenConnection, RecoveringConnection},
    subscription::{Ended, Subscription},
    topology::{self, QueueSpec},
};
use clawpool_core::retry::Waits;

/// Consumes one queue on a channel of its own, and starts again after whatever ended that: a lost connection,
/// a closed channel, a consumer that the server cancelled because its queue moved or was deleted.
pub(super) struct RecoveringConsumer {
    connection: RecoveringConnection,
    channels: Arc<ConsumerChannels>,
    spec: QueueSpec,
    subscription: Subscription,
    /// A task of its own, because it must not be dropped half-way: the server would deliver to a consumer
    /// without a reader.
    starting: Option<JoinHandle<Started>>,
    /// The prefetch of the present consumer, or of the one that is starting.
    prefetch: u16,
    /// When the last delivery came, or when the quiet queue was last checked.
    quiet_since: Instant,
    waits: Waits,
    /// After a failure or a deleted queue: no new try before this.
    pause: Option<Instant>,
}

/// A consumer without deliveries for so long asks whether messages wait in its queue.
#[cfg(not(test))]
const QUIET_CHECK: Duration = Duration::from_secs(60);
#[cfg(test)]
const QUIET_CHECK: Duration = Duration::from_secs(1);
/// How often a quiet consumer checks that its channel is still open. That costs the server nothing.
const CHANNEL_CHECK: Duration = Duration::from_secs(1);

type Started = Result<(Arc<ConsumerChannel>, lapin::Consumer), BrokerError>;

impl RecoveringConsumer {
    /// So many failed starts are retried before the caller gets the error.
    const TRIES: u32 = 4;

    pub(super) fn new(
        connection: RecoveringConnection,
        channels: Arc<ConsumerChannels>,
        spec: QueueSpec,
    ) -> Self {
        let subscription = Subscription::default();
        let waits = BACKOFF.waits();
        let quiet_since = Instant::now();
        Self {
            connection,
            channels,
            spec,
            subscription,
            starting: None,
            prefetch: 0,
            quiet_since,
            waits,
            pause: None,
        }
    }

    pub(super) fn channels(&self) -> &ConsumerChannels {
        &self.channels
    }

    pub(super) fn channel(&self) -> Option<&Arc<ConsumerChannel>> {
        self.subscription.channel()
    }

    pub(super) const fn is_consuming(&self) -> bool {
        self.subscription.is_started() && !self.subscription.is_stopping()
    }

    pub(super) const fn prefetch(&self) -> u16 {
        self.prefetch
    }

    /// The next delivery; consumes with `prefetch` if it does not yet. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, prefetch: u16) -> Result<Delivery, BrokerError> {
        if self.subscription.is_stopping() {
            self.end().await;
        }
        loop {
            if !self.subscription.is_started() {
                self.start(prefetch).await?;
            }
            let check = self.quiet_since + QUIET_CHECK;
            match timeout_at(check.min(Instant::now() + CHANNEL_CHECK), self.subscription.next()).await {
                Ok(Ok(delivery)) => {
                    self.quiet_since = Instant::now();
                    return Ok(delivery);
                }
                Ok(Err(ended)) => self.consumer_ended(ended),
                Err(_) if self.channel().is_none() => self.channel_ended(),
                Err(_) if Instant::now() >= check => self.check_quiet_queue().await,
                Err(_) => {}
            }
        }
    }

    /// A delivery that is here already.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        if !self.is_consuming() {
            return None;
        }
        match self.subscription.next().now_or_never()? {
            Ok(delivery) => Some(delivery),
            Err(ended) => {
                self.consumer_ended(ended);
                None
            }
        }
    }

    /// Stops consuming; deliveries that `next` has not returned go back. Dropped half-way, it goes on when
    /// called again.
    pub(super) async fn stop(&mut self) {
        if self.starting.is_some() {
            // A consumer that did not start needs no stop.
            let _ = self.started().await;
        }
        self.end().await;
    }

    /// Nothing is consumed after this, whether the server answers or not.
    async fn end(&mut self) {
        if !self.subscription.stop().await {
            tracing::warn!(queue = %self.spec.name, "RabbitMQ does not end a consumer; its channel is given \
                up");
            self.connection.recheck();
            self.retire();
        }
    }

    pub(super) fn settle(&self, tags: impl IntoIterator<Item = u64>, how: Settle) {
        self.subscription.settle(tags, how);
    }

    async fn start(&mut self, prefetch: u16) -> Result<(), BrokerError> {
        loop {
            if let Some(pause) = self.pause {
                tokio::time::sleep_until(pause).await;
                self.pause = None;
            }
            if self.starting.is_none() {
                let connection = self.connection.wait().await?;
                let channels = self.channels.clone();
                let channel = self.channel().cloned();
                let spec = self.spec.clone();
                self.prefetch = prefetch;
                self.starting = Some(tokio::spawn(consume(connection, channels, channel, spec, prefetch)));
            }
            let Err(error) = self.started().await else { return Ok(()) };
            self.retire();
            self.pause = Some(Instant::now() + self.waits.after_failure());
            self.connection.recheck();
            // A server that has only begun to make the queue, for another process, even ends the connection.
            if !error.is_retryable() || self.waits.failures() > Self::TRIES {
                return Err(error);
            }
            tracing::debug!(queue = %self.spec.name, %error, "a consumer could not start yet");
        }
    }

    /// Waits for the start that is under way.
    async fn started(&mut self) -> Result<(), BrokerError> {
        let Some(starting) = &mut self.starting else { return Ok(()) };
        let started = starting.await.map_err(|error| unavailable(error.to_string()));
        self.starting = None;
        let (channel, consumer) = started??;
        self.quiet_since = Instant::now();
        self.waits.reset();
        self.subscription.start(channel, consumer);
        Ok(())
    }

    /// Nothing came for long. If messages wait all the same, the server has forgotten the consumer: it does
    /// not cancel every consumer when a queue is deleted and declared again.
    async fn check_quiet_queue(&mut self) {
        self.quiet_since = Instant::now();
        let Some(channel) = self.channel() else { return self.channel_ended() };
        let full = channel.unacknowledged() >= usize::from(self.prefetch);
        match with_timeout("the check of a quiet queue", self.spec.declare(&channel.lapin)).await {
            Ok(waiting) if waiting == 0 || full => {}
            Ok(waiting) => {
                tracing::warn!(queue = %self.spec.name, waiting, "nothing is delivered; the consumer starts \
                    again");
                self.end().await;
                self.retire();
            }
            Err(error) => {
                tracing::warn!(queue = %self.spec.name, %error, "a quiet queue was not checked; the \
                    consumer starts again");
                self.connection.recheck();
                self.end().await;
                self.retire();
            }
        }
    }

    /// The channel has ended, and lapin has not ended the consumer: no delivery would come any more.
    fn channel_ended(&mut self) {
        tracing::warn!(queue = %self.spec.name, "a consumer's channel has ended; it starts again");
        self.connection.recheck();
        self.subscription.drop_consumer();
        self.retire();
    }

    /// The consumer ended by itself.
    fn consumer_ended(&mut self, Ended(error): Ended) {
        let reason =
            error.map_or_else(|| unavailable("the server cancelled it"), |error| broker_error(&error));
        tracing::warn!(queue = %self.spec.name, %reason, "a consumer was lost and starts again");
        if self.channel().is_none() {
            self.connection.recheck();
        } else {
            self.pause = Some(Instant::now() + topology::REDECLARE_DELAY);
        }
        self.retire();
    }

    /// The next consumer gets a new channel: on the old one the server would take a new queue for the deleted
    /// one of the same name.
    fn retire(&mut self) {
        self.subscription.take_channel().inspect(|channel| self.channels.retire(channel));
    }
}

/// Starts a consumer on `channel`, or on a new one.
async fn consume(
    connection: Arc<OpenConnection>,
    channels: Arc<ConsumerChannels>,
    channel: Option<Arc<ConsumerChannel>>,
    spec: QueueSpec,
    prefetch: u16,
) -> Started {
    let channel = match channel {
        Some(channel) => channel,
        None => channels.open(with_timeout("a channel", connection.channel()).await?),
    };
    let start = async {
        spec.declare(&channel.lapin).await?;
        let qos = channel.lapin.basic_qos(prefetch, BasicQosOptions::default()).await;
        qos.map_err(|error| broker_error(&error))?;
        let name = spec.name.clone();
        let options = BasicConsumeOptions::default();
        let consumer = channel.lapin.basic_consume(name, "".into(), options, FieldTable::default()).await;
        consumer.map_err(|error| broker_error(&error))
    };
    match with_timeout("the start of a consumer", start).await {
        Ok(consumer) => Ok((channel, consumer)),
        Err(error) => {
            channels.retire(&channel);
            channel.close();
            Err(error)
        }
    }
}

impl Drop for RecoveringConsumer {
    /// Gives back in the background what `next` has not returned. Deliveries that were returned can still be
    /// settled.
    fn drop(&mut self) {
        let mut subscription = std::mem::take(&mut self.subscription);
        let starting = self.starting.take();
        let channels = self.channels.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(starting) = starting
                    && let Ok(Ok((channel, consumer))) = starting.await
                {
                    subscription.start(channel, consumer);
                }
                subscription.stop().await;
                subscription.take_channel().inspect(|channel| channels.retire(channel));
            });
        }
    }
}
