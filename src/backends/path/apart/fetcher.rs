use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time};

use super::arrivals::Arrivals;
use crate::broker::{Broker, BrokerError, Consumer};
use clawpool_core::{
    retry::{Backoff, Waits},
    task::{ProcessId, Queue},
};

/// Work goes on within a second of the server's return.
const SILENT: Backoff = Backoff::millis::<50, 500>();
/// Waiting does not mend what a server refuses.
const REFUSES: Backoff = Backoff::millis::<50, 5_000>();

/// Fetches one queue's messages as they are demanded, and rests while none is.
pub(super) struct Fetcher {
    pub worker: ProcessId,
    pub queue: Queue,
    pub broker: Arc<dyn Broker>,
    /// How many messages may wait here. Closed: the worker leaves.
    pub demand: watch::Receiver<usize>,
    pub arrivals: Arc<Arrivals>,
    pub hold: Duration,
    pub pauses: Pauses,
}

/// How long to wait after errors.
pub(super) struct Pauses {
    silent: Waits,
    refuses: Waits,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { silent: SILENT.waits(), refuses: REFUSES.waits() }
    }
}

impl Pauses {
    fn after(&mut self, error: &BrokerError) -> Duration {
        let waits = if error.is_retryable() { &mut self.silent } else { &mut self.refuses };
        waits.after_failure()
    }
}

impl Fetcher {
    /// Runs until the demand channel closes. An error of the broker is told, and the fetch is tried again
    /// with backoff.
    pub async fn run(mut self) {
        let mut consumer = None;
        while let Err(error) = self.fetch(&mut consumer).await {
            let pause = self.pauses.after(&error);
            self.arrivals.failed(self.queue, error);
            tokio::select! {
                () = time::sleep(pause) => {}
                () = closed(&mut self.demand) => return,
            }
        }
    }

    /// `Ok` when the source is gone. The consumer outlives an error: it alone knows what it has asked for
    /// without an answer.
    async fn fetch(&mut self, kept: &mut Option<Box<dyn Consumer>>) -> Result<(), BrokerError> {
        let consumer = match kept {
            Some(consumer) => consumer,
            None => {
                if self.demand.wait_for(|demand| *demand > 0).await.is_err() {
                    return Ok(());
                }
                kept.insert(self.broker.consume(self.worker, self.queue).await?)
            }
        };
        loop {
            let room = self.room();
            if room == 0 {
                if !self.rest(consumer.as_mut()).await? {
                    return Ok(());
                }
                continue;
            }
            tokio::select! {
                biased;
                changed = self.demand.changed() => if changed.is_err() {
                    return consumer.pause().await;
                },
                batch = consumer.next(room) => {
                    self.arrivals.arrived(self.queue, batch?);
                    self.pauses = Pauses::default();
                }
            }
        }
    }

    fn room(&mut self) -> usize {
        let demand = *self.demand.borrow_and_update();
        demand.saturating_sub(self.arrivals.count(self.queue))
    }

    /// Waits for demand. After `hold` without any, what was fetched ahead goes back. False when the source is
    /// gone.
    async fn rest(&mut self, consumer: &mut dyn Consumer) -> Result<bool, BrokerError> {
        let arrivals = Arc::clone(&self.arrivals);
        let wanted = |demand: &usize| *demand > arrivals.count(self.queue);
        if let Ok(waited) = time::timeout(self.hold, self.demand.wait_for(wanted)).await {
            return Ok(waited.is_ok());
        }
        consumer.pause().await?;
        Ok(self.demand.wait_for(wanted).await.is_ok())
    }
}

async fn closed(demand: &mut watch::Receiver<usize>) {
    while demand.changed().await.is_ok() {}
}
