use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time,
};

use super::{engine::Event, fetch_errors::FetchErrors, receipts};
use clawpool_backends::{
    broker::{Broker, BrokerError, Consumer, Delivery, Receipt},
    store::Store,
};
use clawpool_core::{
    config::Pacing,
    task::{ProcessId, Queue},
};

/// Fetches one queue's messages as the engine demands them, and rests while it demands none.
pub(super) struct Fetcher {
    pub worker: ProcessId,
    pub pool: String,
    pub queue: Queue,
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
    /// How many messages the engine can use now. Closed: the worker leaves.
    pub demand: watch::Receiver<usize>,
    pub events: mpsc::Sender<Event>,
    pub hold: Duration,
    /// Only for the background queue.
    pub pacing: Option<Pacing>,
}

impl Fetcher {
    /// Runs until the demand channel closes. An error of the broker is told, and the fetch is tried again
    /// with backoff.
    pub async fn run(mut self) {
        let mut errors = FetchErrors::new(self.queue, self.pool.clone(), Arc::clone(&self.store));
        let mut consumer = None;
        while let Err(error) = self.fetch(&mut consumer).await {
            let pause = errors.pause_after(&error).await;
            tokio::select! {
                () = time::sleep(pause) => {}
                () = closed(&mut self.demand) => return,
            }
        }
    }

    /// `Ok` when the engine is gone. The consumer outlives an error: it alone knows what it has asked for
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
            let demand = *self.demand.borrow_and_update();
            if demand == 0 {
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
                batch = consumer.next(demand) => if !self.pass_on(batch?, consumer.as_mut()).await? {
                    return consumer.pause().await;
                },
            }
        }
    }

    /// Waits for demand. After `hold` without any, what was fetched ahead goes back. False when the engine is
    /// gone.
    async fn rest(&mut self, consumer: &mut dyn Consumer) -> Result<bool, BrokerError> {
        let wanted = |demand: &usize| *demand > 0;
        if let Ok(waited) = time::timeout(self.hold, self.demand.wait_for(wanted)).await {
            return Ok(waited.is_ok());
        }
        consumer.pause().await?;
        Ok(self.demand.wait_for(wanted).await.is_ok())
    }

    async fn pass_on(
        &mut self,
        mut batch: Vec<Delivery>,
        consumer: &mut dyn Consumer,
    ) -> Result<bool, BrokerError> {
        let pause = match self.pacing.clone() {
            Some(pacing) => self.pace(&mut batch, &pacing).await,
            None => Duration::ZERO,
        };
        if !batch.is_empty() && self.events.send(Event::Fetched(self.queue, batch)).await.is_err() {
            return Ok(false);
        }
        if pause.is_zero() {
            return Ok(true);
        }
        consumer.pause().await?;
        tokio::select! {
            () = time::sleep(pause) => Ok(true),
            () = closed(&mut self.demand) => Ok(false),
        }
    }

    /// Gives back what the token bucket does not allow now. Returns how long to wait for the next token.
    async fn pace(&self, batch: &mut Vec<Delivery>, pacing: &Pacing) -> Duration {
        let want = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let taken = self.store.take_tokens(self.queue.name(), want, pacing.per_second, pacing.burst).await;
        let (granted, pause) = taken.unwrap_or_else(|error| {
            tracing::warn!(code = error.code(), %error, "pacing is unknown; background work waits");
            (0, Duration::from_secs(1))
        });
        if granted >= want {
            return Duration::ZERO;
        }
        let surplus: Vec<Receipt> =
            batch.split_off(granted as usize).into_iter().map(|delivery| delivery.receipt).collect();
        // The rest is not to be lost with an error.
        receipts::give_back(&*self.broker, surplus).await;
        pause
    }
}

async fn closed(demand: &mut watch::Receiver<usize>) {
    while demand.changed().await.is_ok() {}
}
