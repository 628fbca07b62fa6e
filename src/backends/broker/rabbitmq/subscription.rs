use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use lapin::{message::Delivery, options::BasicCancelOptions};

use super::{
    BrokerError,
    channels::{ConsumerChannel, Settle},
    connect::with_timeout,
};

/// One `basic.consume` on one channel, from its start to its end.
#[derive(Default)]
pub(super) struct Subscription {
    channel: Option<Arc<ConsumerChannel>>,
    consumer: Option<lapin::Consumer>,
    /// The server has been asked to cancel the consumer; what was on its way still comes.
    stopping: bool,
    /// Delivery tags of what came while stopping.
    surplus: Vec<u64>,
}

/// No delivery will come any more; with the error of the channel or of the connection, if one of them failed.
pub(super) struct Ended(pub(super) Option<lapin::Error>);

impl Subscription {
    /// The channel that deliveries come in on now, while it lives.
    pub(super) fn channel(&self) -> Option<&Arc<ConsumerChannel>> {
        self.channel.as_ref().filter(|channel| channel.lapin.status().connected())
    }

    pub(super) fn take_channel(&mut self) -> Option<Arc<ConsumerChannel>> {
        self.channel.take()
    }

    pub(super) fn start(&mut self, channel: Arc<ConsumerChannel>, consumer: lapin::Consumer) {
        self.channel = Some(channel);
        self.consumer = Some(consumer);
    }

    pub(super) fn drop_consumer(&mut self) {
        (self.consumer, self.stopping) = (None, false);
        self.surplus.clear();
    }

    pub(super) const fn is_started(&self) -> bool {
        self.consumer.is_some()
    }

    pub(super) const fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Waits for the next delivery. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Delivery, Ended> {
        let next = match &mut self.consumer {
            Some(consumer) => consumer.next().await,
            None => None,
        };
        match next {
            Some(Ok(delivery)) => {
                self.delivered(&delivery);
                Ok(delivery)
            }
            ended => {
                self.consumer = None;
                Err(Ended(ended.and_then(Result::err)))
            }
        }
    }

    /// Stops consuming and gives everything back that came in meanwhile. Dropped half-way, it goes on when
    /// called again. False when the server did not answer: then the channel has ended, and all that came over
    /// it is delivered again.
    pub(super) async fn stop(&mut self) -> bool {
        self.cancel();
        let stopped = with_timeout("the end of a consumer", self.drain()).await;
        self.stopping = false;
        let surplus = std::mem::take(&mut self.surplus);
        if stopped.is_err() {
            self.consumer = None;
            self.channel.as_ref().inspect(|channel| channel.close());
            return false;
        }
        self.settle(surplus, Settle::Requeue);
        true
    }

    /// Waits until the consumer has ended.
    async fn drain(&mut self) -> Result<(), BrokerError> {
        while self.consumer.is_some() {
            if let Ok(delivery) = self.next().await {
                self.surplus.push(delivery.delivery_tag);
            }
        }
        Ok(())
    }

    /// The server's answer ends the consumer, after its last delivery.
    fn cancel(&mut self) {
        if let (Some(channel), Some(consumer), false) = (&self.channel, &self.consumer, self.stopping) {
            self.stopping = true;
            // The request is queued at the first poll; a dead channel has ended the consumer already.
            let _ = channel.lapin.basic_cancel(consumer.tag(), BasicCancelOptions::default()).now_or_never();
        }
    }

    fn delivered(&self, delivery: &Delivery) {
        if let Some(channel) = &self.channel {
            channel.delivered(delivery.delivery_tag);
        }
    }

    /// Settles deliveries of this channel.
    pub(super) fn settle(&self, tags: impl IntoIterator<Item = u64>, how: Settle) {
        if let Some(channel) = &self.channel {
            channel.settle(tags, how);
        }
    }
}
