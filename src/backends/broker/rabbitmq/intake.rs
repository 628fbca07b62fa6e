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
    connect::{fault, patient, unavailable},
    feed::{Ended, Feed},
    lines::{Line, Lines, Settle},
    link::{BACKOFF, Link, Session},
    topology::{self, Spec},
};
use clawpool_core::retry::Waits;

/// Consumes one queue on a channel of its own, and starts again after whatever ended that: a lost connection, a closed
/// channel, a consumer that the server cancelled because its queue moved or was deleted.
pub(super) struct Intake {
    link: Link,
    lines: Arc<Lines>,
    spec: Spec,
    feed: Feed,
    /// A task, for it must not be dropped half-way: the server would have a consumer that nobody listens to.
    starting: Option<JoinHandle<Started>>,
    /// The prefetch of the present consumer, or of the one that is starting.
    granted: u16,
    /// When the last delivery came, or the last look at whether some should have.
    quiet_since: Instant,
    waits: Waits,
    /// After a failure or a deleted queue: no new try before this.
    pause: Option<Instant>,
}

/// How long a consumer may be without deliveries before it asks whether it should have had some.
#[cfg(not(test))]
const WATCHDOG: Duration = Duration::from_secs(60);
#[cfg(test)]
const WATCHDOG: Duration = Duration::from_secs(1);
/// How often a quiet consumer looks whether its channel is still there. That costs the server nothing.
const GLANCE: Duration = Duration::from_secs(1);

type Started = Result<(Arc<Line>, lapin::Consumer), BrokerError>;

impl Intake {
    /// Starts that fail before the caller is told.
    const TRIES: u32 = 4;

    pub(super) fn new(link: Link, lines: Arc<Lines>, spec: Spec) -> Self {
        let (feed, waits) = (Feed::default(), BACKOFF.waits());
        let quiet_since = Instant::now();
        Self { link, lines, spec, feed, starting: None, granted: 0, quiet_since, waits, pause: None }
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn line(&self) -> Option<&Arc<Line>> {
        self.feed.line()
    }

    pub(super) const fn is_consuming(&self) -> bool {
        self.feed.is_started() && !self.feed.is_stopping()
    }

    pub(super) const fn granted(&self) -> u16 {
        self.granted
    }

    /// The next delivery; consumes with `prefetch` if it does not yet. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, prefetch: u16) -> Result<Delivery, BrokerError> {
        if self.feed.is_stopping() {
            self.end().await;
        }
        loop {
            if !self.feed.is_started() {
                self.start(prefetch).await?;
            }
            let look = self.quiet_since + WATCHDOG;
            match timeout_at(look.min(Instant::now() + GLANCE), self.feed.next()).await {
                Ok(Ok(delivery)) => {
                    self.quiet_since = Instant::now();
                    return Ok(delivery);
                }
                Ok(Err(ended)) => self.lost(ended),
                Err(_) if self.line().is_none() => self.cut_off(),
                Err(_) if Instant::now() >= look => self.watch().await,
                Err(_) => {}
            }
        }
    }

    /// A delivery that is here already.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        if !self.is_consuming() {
            return None;
        }
        match self.feed.next().now_or_never()? {
            Ok(delivery) => Some(delivery),
            Err(ended) => {
                self.lost(ended);
                None
            }
        }
    }

    /// Stops consuming; what nobody asked for goes back. Dropped half-way, it goes on when called again.
    pub(super) async fn stop(&mut self) {
        if self.starting.is_some() {
            // A consumer that did not start needs no stop.
            let _ = self.started().await;
        }
        self.end().await;
    }

    /// Whatever the server says, nothing is consumed after this.
    async fn end(&mut self) {
        if !self.feed.stop().await {
            tracing::warn!(queue = %self.spec.name, "RabbitMQ does not end a consumer; its channel is given up");
            self.link.doubt();
            self.retire();
        }
    }

    pub(super) fn settle(&self, tags: impl IntoIterator<Item = u64>, how: Settle) {
        self.feed.settle(tags, how);
    }

    async fn start(&mut self, prefetch: u16) -> Result<(), BrokerError> {
        loop {
            if let Some(pause) = self.pause {
                tokio::time::sleep_until(pause).await;
                self.pause = None;
            }
            if self.starting.is_none() {
                let session = self.link.wait().await?;
                let (lines, line, spec) = (self.lines.clone(), self.line().cloned(), self.spec.clone());
                self.granted = prefetch;
                self.starting = Some(tokio::spawn(consume(session, lines, line, spec, prefetch)));
            }
            let Err(error) = self.started().await else { return Ok(()) };
            self.retire();
            self.pause = Some(Instant::now() + self.waits.after_failure());
            self.link.doubt();
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
        let (line, consumer) = started??;
        self.quiet_since = Instant::now();
        self.waits.reset();
        self.feed.start(line, consumer);
        Ok(())
    }

    /// Nothing came for long. If something waits all the same, the server has forgotten the consumer: not every one is
    /// told when its queue was deleted and declared again.
    async fn watch(&mut self) {
        self.quiet_since = Instant::now();
        let Some(line) = self.line() else { return self.cut_off() };
        let full = line.outstanding() >= usize::from(self.granted);
        match patient("a look at a quiet queue", self.spec.declare(&line.channel)).await {
            Ok(waiting) if waiting == 0 || full => {}
            Ok(waiting) => {
                tracing::warn!(queue = %self.spec.name, waiting, "nothing is delivered; the consumer starts again");
                self.end().await;
                self.retire();
            }
            Err(error) => {
                tracing::warn!(queue = %self.spec.name, %error, "a quiet queue cannot be looked at; the consumer starts again");
                self.link.doubt();
                self.end().await;
                self.retire();
            }
        }
    }

    /// The channel has ended, and the client has not ended the consumer: nothing would come any more.
    fn cut_off(&mut self) {
        tracing::warn!(queue = %self.spec.name, "a consumer's channel has ended; it starts again");
        self.link.doubt();
        self.feed.drop_consumer();
        self.retire();
    }

    /// The consumer ended by itself.
    fn lost(&mut self, Ended(error): Ended) {
        let reason = error.map_or_else(|| unavailable("the server cancelled it"), |error| fault(&error));
        tracing::warn!(queue = %self.spec.name, %reason, "a consumer was lost and starts again");
        if self.line().is_none() {
            self.link.doubt();
        } else {
            self.pause = Some(Instant::now() + topology::MOURNING);
        }
        self.retire();
    }

    /// The next consumer gets a channel of its own: on the old one the server would take a new queue for the deleted one
    /// of its name.
    fn retire(&mut self) {
        self.feed.take_line().inspect(|line| self.lines.retire(line));
    }
}

/// Starts a consumer on `line`, or on a new one.
async fn consume(
    session: Arc<Session>,
    lines: Arc<Lines>,
    line: Option<Arc<Line>>,
    spec: Spec,
    prefetch: u16,
) -> Started {
    let line = match line {
        Some(line) => line,
        None => lines.open(patient("a channel", session.channel()).await?),
    };
    let start = async {
        spec.declare(&line.channel).await?;
        let qos = line.channel.basic_qos(prefetch, BasicQosOptions::default()).await;
        qos.map_err(|error| fault(&error))?;
        let (name, options) = (spec.name.clone(), BasicConsumeOptions::default());
        let consumer = line.channel.basic_consume(name, "".into(), options, FieldTable::default()).await;
        consumer.map_err(|error| fault(&error))
    };
    match patient("the start of a consumer", start).await {
        Ok(consumer) => Ok((line, consumer)),
        Err(error) => {
            lines.retire(&line);
            line.close();
            Err(error)
        }
    }
}

impl Drop for Intake {
    /// Gives back in the background what nobody asked for; deliveries that were handed out can still be settled.
    fn drop(&mut self) {
        let (mut feed, starting) = (std::mem::take(&mut self.feed), self.starting.take());
        let lines = self.lines.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(starting) = starting
                    && let Ok(Ok((line, consumer))) = starting.await
                {
                    feed.start(line, consumer);
                }
                feed.stop().await;
                feed.take_line().inspect(|line| lines.retire(line));
            });
        }
    }
}
