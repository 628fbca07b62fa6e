use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use lapin::{message::Delivery, options::BasicCancelOptions};

use super::{
    BrokerError,
    connect::patient,
    lines::{Line, Settle},
};

/// One consumer on one line, from its start to its end.
#[derive(Default)]
pub(super) struct Feed {
    line: Option<Arc<Line>>,
    consumer: Option<lapin::Consumer>,
    /// The server has been asked to cancel the consumer; what was on its way still comes.
    stopping: bool,
    /// Delivered while stopping.
    surplus: Vec<u64>,
}

/// Nothing will come any more, for this reason if the channel or the connection is to blame.
pub(super) struct Ended(pub(super) Option<lapin::Error>);

impl Feed {
    /// The line that deliveries come in on now, while it lives.
    pub(super) fn line(&self) -> Option<&Arc<Line>> {
        self.line.as_ref().filter(|line| line.channel.status().connected())
    }

    pub(super) fn take_line(&mut self) -> Option<Arc<Line>> {
        self.line.take()
    }

    pub(super) fn start(&mut self, line: Arc<Line>, consumer: lapin::Consumer) {
        self.line = Some(line);
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
                self.note(&delivery);
                Ok(delivery)
            }
            ended => {
                self.consumer = None;
                Err(Ended(ended.and_then(Result::err)))
            }
        }
    }

    /// Stops consuming and gives everything back that came in meanwhile. Dropped half-way, it goes on when called again.
    /// False when the server did not answer: then the line has ended, and all that came over it is delivered again.
    pub(super) async fn stop(&mut self) -> bool {
        self.cancel();
        let stopped = patient("the end of a consumer", self.drained()).await;
        self.stopping = false;
        let surplus = std::mem::take(&mut self.surplus);
        if stopped.is_err() {
            self.consumer = None;
            self.line.as_ref().inspect(|line| line.close());
            return false;
        }
        self.settle(surplus, Settle::Requeue);
        true
    }

    /// Until the consumer has ended.
    async fn drained(&mut self) -> Result<(), BrokerError> {
        while self.consumer.is_some() {
            if let Ok(delivery) = self.next().await {
                self.surplus.push(delivery.delivery_tag);
            }
        }
        Ok(())
    }

    /// The server's answer ends the consumer, after its last delivery.
    fn cancel(&mut self) {
        if let (Some(line), Some(consumer), false) = (&self.line, &self.consumer, self.stopping) {
            self.stopping = true;
            // The request is queued at the first poll; a dead channel has ended the consumer already.
            let _ = line.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).now_or_never();
        }
    }

    fn note(&self, delivery: &Delivery) {
        if let Some(line) = &self.line {
            line.note(delivery.delivery_tag);
        }
    }

    /// Settles deliveries of the present line.
    pub(super) fn settle(&self, tags: impl IntoIterator<Item = u64>, how: Settle) {
        if let Some(line) = &self.line {
            line.settle(tags, how);
        }
    }
}
