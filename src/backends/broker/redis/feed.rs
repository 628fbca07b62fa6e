//! The working end of a consumer: fetches, waits, finds lost answers again, backs off after trouble.

use std::{sync::Arc, time::Duration};

use redis::RedisResult;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::{
    BATCH, scripts,
    scripts::priorities,
    shared::{Shared, failure},
    waiter::Waiter,
};
use crate::{
    backend::redis::pulse::PULSE,
    broker::{BrokerError, Delivery},
};
use clawpool_core::{
    retry::{Backoff, Waits},
    task::{Queue, WorkerId},
};

const BACKOFF: Backoff = Backoff::millis::<50, 500>();

pub(super) type Answer = Result<Vec<Delivery>, BrokerError>;

pub(super) enum Ask {
    Next {
        want: usize,
        answer: oneshot::Sender<Answer>,
    },
    /// Stop waiting, and give these back.
    Rest {
        back: Vec<Delivery>,
        done: oneshot::Sender<Result<(), BrokerError>>,
    },
}

/// The task that talks with Redis for one consumer. It ends when the consumer is dropped.
pub(super) struct Feed {
    shared: Arc<Shared>,
    worker: WorkerId,
    queue: Queue,
    asks: mpsc::Receiver<Ask>,
    waiter: Option<Waiter>,
    doubts: watch::Receiver<()>,
    /// An answer may have got lost: what it held is on this worker's in-flight set.
    doubtful: bool,
    waits: Waits,
    /// After trouble: how long to leave the server alone.
    pause: Option<Duration>,
}

impl Feed {
    pub(super) fn new(shared: Arc<Shared>, worker: WorkerId, queue: Queue, asks: mpsc::Receiver<Ask>) -> Self {
        let doubts = shared.held.doubts();
        Self { shared, worker, queue, asks, waiter: None, doubts, doubtful: false, waits: BACKOFF.waits(), pause: None }
    }

    pub(super) async fn run(mut self) {
        while let Some(ask) = self.asks.recv().await {
            match ask {
                Ask::Next { want, answer } => {
                    let found = self.next(want).await;
                    if let Err(Ok(unwanted)) = answer.send(found) {
                        // Logged there; the next fetch finds them again.
                        let _ = self.give_back(unwanted).await;
                    }
                }
                rest => self.obey(rest).await,
            }
        }
        self.pass_on().await;
    }

    /// After trouble it is not known what this feed took, a message or the bell's token: both go to the next consumer.
    async fn pass_on(&mut self) {
        if !self.doubtful {
            return;
        }
        if let Ok(lost) = self.reread().await {
            self.doubtful = self.give_back(lost).await.is_err();
        }
        self.shared.ring(self.queue).await;
    }

    /// At least one delivery; none when the consumer does not want any more.
    async fn next(&mut self, want: usize) -> Answer {
        if let Some(pause) = self.pause {
            tokio::select! {
                () = sleep(pause) => {}
                ask = self.asks.recv() => {
                    if let Some(ask) = ask {
                        self.obey(ask).await;
                    }
                    return Ok(Vec::new());
                }
            }
        }
        let answer = self.seek(want).await;
        self.doubtful |= answer.is_err();
        self.pause = answer.is_err().then(|| self.waits.after_failure());
        if answer.is_ok() {
            self.waits.reset();
        }
        answer
    }

    async fn seek(&mut self, want: usize) -> Answer {
        loop {
            let found = self.fetch(want).await?;
            if !found.is_empty() || !self.wait().await? {
                return Ok(found);
            }
        }
    }

    async fn fetch(&mut self, want: usize) -> Answer {
        self.doubtful |= self.doubts.has_changed().unwrap_or(false);
        if self.doubtful {
            let lost = self.reread().await?;
            self.doubtful = false;
            if !lost.is_empty() {
                return Ok(lost);
            }
        }
        let mut call = self.shared.call(&scripts::FETCH);
        call.arg(self.worker.as_bytes()).arg(want.min(BATCH)).arg(self.queue.name()).arg(priorities(self.queue));
        self.shared.take(self.worker, &call).await
    }

    /// What the worker holds without having been told.
    async fn reread(&mut self) -> Answer {
        self.doubts.mark_unchanged();
        let mut call = self.shared.call(&scripts::REREAD);
        call.arg(self.worker.as_bytes()).arg(priorities(self.queue));
        self.shared.recover(self.worker, &call).await
    }

    /// Waits until a fetch may find something. False when the consumer went to rest or away.
    async fn wait(&mut self) -> Result<bool, BrokerError> {
        let waiter = match self.waiter.take() {
            Some(waiter) => Ok(waiter),
            None => Waiter::connect(&self.shared, self.queue).await,
        };
        let mut waiter = match waiter {
            Ok(waiter) => waiter,
            Err(error) => return Ok(self.do_without(&error).await),
        };
        let ask = tokio::select! {
            biased;
            rung = waiter.rung(&self.shared) => return self.look_again(waiter, rung),
            Ok(()) = self.doubts.changed() => {
                self.doubtful = true;
                self.waiter = waiter.leave(&self.shared).await;
                return Ok(true);
            }
            ask = self.asks.recv() => ask,
        };
        self.waiter = waiter.leave(&self.shared).await;
        if let Some(ask) = ask {
            self.obey(ask).await;
        }
        Ok(false)
    }

    /// After the bell, or a spell without it.
    fn look_again(&mut self, waiter: Waiter, rung: RedisResult<()>) -> Result<bool, BrokerError> {
        match rung {
            Ok(()) => self.waiter = Some(waiter),
            Err(error) if error.is_timeout() => {
                tracing::warn!(queue = %self.queue, "a link that waited for work gave no sign of life; it is replaced");
                // It may have taken the bell's token.
                self.doubtful = true;
            }
            Err(error) => return Err(failure(&error)),
        }
        Ok(true)
    }

    /// Without a connection that waits for the bell, this feed looks by itself. False when the consumer went away.
    async fn do_without(&mut self, error: &BrokerError) -> bool {
        tracing::debug!(queue = %self.queue, %error, "no link waits for work; this worker looks every {PULSE:?}");
        tokio::select! {
            () = sleep(PULSE) => true,
            ask = self.asks.recv() => {
                if let Some(ask) = ask {
                    self.obey(ask).await;
                }
                false
            }
        }
    }

    /// An ask that comes while nothing is being fetched. A `Next` cannot: its consumer still awaits the one before.
    async fn obey(&mut self, ask: Ask) {
        if let Ask::Rest { back, done } = ask {
            self.pass_on().await;
            // The consumer may be gone by now; it is told for the case that it is not.
            let _ = done.send(self.give_back(back).await);
        }
    }

    async fn give_back(&mut self, deliveries: Vec<Delivery>) -> Result<(), BrokerError> {
        let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        let result = self.shared.settle(&scripts::RELEASE, &receipts).await.map(drop);
        if let Err(error) = &result {
            tracing::warn!(worker = %self.worker, queue = %self.queue, %error, "could not give messages back yet");
        }
        result
    }
}
