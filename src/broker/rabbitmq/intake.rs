use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use lapin::{
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::time::Instant;

use super::{
    BrokerError,
    backoff::Backoff,
    connect::{fault, unavailable},
    lines::{Line, Lines, Settle},
    link::{Link, Session},
    topology::Spec,
};

/// Consumes one queue on a channel of its own, and starts again after whatever ended that: a lost connection, a closed
/// channel, a consumer that the server cancelled because its queue moved or was deleted.
pub(super) struct Intake {
    link: Link,
    lines: Arc<Lines>,
    spec: Spec,
    line: Option<Arc<Line>>,
    consumer: Option<lapin::Consumer>,
    /// The server has been asked to cancel the consumer; what was on its way still comes.
    stopping: bool,
    /// Delivered while stopping.
    surplus: Vec<u64>,
    backoff: Backoff,
    /// After a failure: no new try before this.
    pause: Option<Instant>,
}

impl Intake {
    pub(super) fn new(link: Link, lines: Arc<Lines>, spec: Spec) -> Self {
        let backoff = Backoff::default();
        Self {
            link,
            lines,
            spec,
            line: None,
            consumer: None,
            stopping: false,
            surplus: Vec::new(),
            backoff,
            pause: None,
        }
    }

    /// The line that deliveries come in on now.
    pub(super) fn line(&self) -> Option<&Arc<Line>> {
        self.line.as_ref().filter(|line| line.channel.status().connected())
    }

    pub(super) fn is_consuming(&self) -> bool {
        self.consumer.is_some() && !self.stopping
    }

    /// The next delivery; consumes with `prefetch` if it does not yet. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, prefetch: u16) -> Result<Delivery, BrokerError> {
        if self.stopping {
            self.stop().await;
        }
        loop {
            if let Some(consumer) = &mut self.consumer {
                match consumer.next().await {
                    Some(Ok(delivery)) => return Ok(self.noted(delivery)),
                    ended => self.lost(ended.and_then(Result::err)),
                }
            }
            self.start(prefetch).await?;
        }
    }

    /// A delivery that is here already.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        if self.stopping {
            return None;
        }
        match self.consumer.as_mut()?.next().now_or_never()? {
            Some(Ok(delivery)) => Some(self.noted(delivery)),
            ended => {
                self.lost(ended.and_then(Result::err));
                None
            }
        }
    }

    fn noted(&mut self, delivery: Delivery) -> Delivery {
        if let Some(line) = &self.line {
            line.note(delivery.delivery_tag);
        }
        delivery
    }

    /// Stops consuming and gives everything back that came in meanwhile. Dropped half-way, it goes on when called again.
    pub(super) async fn stop(&mut self) {
        let Some(consumer) = &mut self.consumer else { return };
        if let Some(line) = self.line.as_ref().filter(|_| !self.stopping) {
            // The answer ends the consumer's stream, after the last delivery.
            let cancel = line.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
            self.stopping = true;
            if let Some(Err(_)) = cancel.now_or_never() {
                self.link.doubt();
            }
        }
        while let Some(Ok(delivery)) = consumer.next().await {
            if let Some(line) = &self.line {
                line.note(delivery.delivery_tag);
            }
            self.surplus.push(delivery.delivery_tag);
        }
        self.consumer = None;
        self.stopping = false;
        let surplus = std::mem::take(&mut self.surplus);
        self.settle(surplus, Settle::Requeue);
    }

    /// Settles deliveries of the present line.
    pub(super) fn settle(&self, tags: impl IntoIterator<Item = u64>, how: Settle) {
        if let Some(line) = &self.line {
            line.settle(tags, how);
        }
    }

    async fn start(&mut self, prefetch: u16) -> Result<(), BrokerError> {
        if let Some(pause) = self.pause {
            tokio::time::sleep_until(pause).await;
            self.pause = None;
        }
        let session = self.link.wait().await?;
        match self.consume(&session, prefetch).await {
            Ok(()) => self.backoff.reset(),
            Err(error) => {
                self.line = None;
                self.pause = Some(Instant::now() + self.backoff.next());
                self.link.doubt();
                return Err(error);
            }
        }
        Ok(())
    }

    async fn consume(&mut self, session: &Session, prefetch: u16) -> Result<(), BrokerError> {
        let line = match self.line() {
            Some(line) => line.clone(),
            None => self.lines.open(session.channel().await?),
        };
        self.line = Some(line.clone());
        self.spec.declare(&line.channel).await?;
        let qos = line.channel.basic_qos(prefetch, BasicQosOptions::default()).await;
        qos.map_err(|error| fault(&error))?;
        let name = self.spec.name.clone();
        let consumer =
            line.channel.basic_consume(name, "".into(), BasicConsumeOptions::default(), FieldTable::default());
        self.consumer = Some(consumer.await.map_err(|error| fault(&error))?);
        Ok(())
    }

    /// The consumer ended by itself.
    fn lost(&mut self, error: Option<lapin::Error>) {
        let reason = error.map_or_else(|| unavailable("the server cancelled it"), |error| fault(&error));
        tracing::warn!(queue = %self.spec.name, %reason, "a consumer was lost and starts again");
        self.consumer = None;
        if self.line().is_none() {
            self.line = None;
            self.link.doubt();
        }
    }
}

impl Drop for Intake {
    /// Gives back in the background what nobody asked for; deliveries that were handed out can still be settled.
    fn drop(&mut self) {
        let (Some(line), Ok(runtime)) = (self.line.take(), tokio::runtime::Handle::try_current()) else { return };
        let mut rest = Self::new(self.link.clone(), self.lines.clone(), self.spec.clone());
        rest.line = Some(line.clone());
        rest.consumer = self.consumer.take();
        rest.stopping = self.stopping;
        rest.surplus = std::mem::take(&mut self.surplus);
        let lines = self.lines.clone();
        runtime.spawn(async move {
            rest.stop().await;
            drop(rest.line.take());
            lines.retire(&line);
        });
    }
}
