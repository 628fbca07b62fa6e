//! The task behind a consumer: fetches, waits, recovers the messages of lost answers, backs off after errors.

use std::{sync::Arc, time::Duration};

use redis::RedisResult;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::{
    BATCH, scripts,
    shared::{Shared, failure},
    waiter::Waiter,
};
use crate::backend::redis::queue_name::name;
use crate::{
    backend::redis::pulse::PULSE,
    broker::{BrokerError, Delivery},
};
use clawpool_core::{
    retry::{Backoff, Waits},
    task::{ProcessId, Queue},
};

const BACKOFF: Backoff = Backoff::millis::<50, 500>();

pub(super) type Answer = Result<Vec<Delivery>, BrokerError>;

pub(super) enum Request {
    Next {
        want: usize,
        answer: oneshot::Sender<Answer>,
    },
    /// Stop waiting, and give these deliveries back.
    Pause {
        back: Vec<Delivery>,
        done: oneshot::Sender<Result<(), BrokerError>>,
    },
}

/// The task that talks with Redis for one consumer. It ends when the consumer is dropped.
pub(super) struct ConsumerTask {
    shared: Arc<Shared>,
    worker: ProcessId,
    queue: Queue,
    requests: mpsc::Receiver<Request>,
    waiter: Option<Waiter>,
    failed_settlements: watch::Receiver<()>,
    /// An answer may have got lost: its messages are in the in-flight set of this worker.
    answer_lost: bool,
    waits: Waits,
    /// After an error: how long to wait before the next fetch.
    pause: Option<Duration>,
}

impl ConsumerTask {
    pub(super) fn new(
        shared: Arc<Shared>,
        worker: ProcessId,
        queue: Queue,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        let failed_settlements = shared.held.failed_settlements();
        Self {
            shared,
            worker,
            queue,
            requests,
            waiter: None,
            failed_settlements,
            answer_lost: false,
            waits: BACKOFF.waits(),
            pause: None,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(request) = self.requests.recv().await {
            match request {
                Request::Next { want, answer } => {
                    let found = self.next(want).await;
                    if let Err(Ok(unwanted)) = answer.send(found) {
                        // Logged there; the next fetch finds them again.
                        let _ = self.give_back(unwanted).await;
                    }
                }
                pause => self.handle(pause).await,
            }
        }
        self.release_lost().await;
    }

    /// After an error this task may have taken messages, or the bell's token: both go to the next consumer.
    async fn release_lost(&mut self) {
        if !self.answer_lost {
            return;
        }
        if let Ok(lost) = self.reread().await {
            self.answer_lost = self.give_back(lost).await.is_err();
        }
        self.shared.ring(self.queue).await;
    }

    /// At least one delivery; none when the consumer does not want any more.
    async fn next(&mut self, want: usize) -> Answer {
        if let Some(pause) = self.pause {
            tokio::select! {
                () = sleep(pause) => {}
                request = self.requests.recv() => {
                    if let Some(request) = request {
                        self.handle(request).await;
                    }
                    return Ok(Vec::new());
                }
            }
        }
        let answer = self.fetch_or_wait(want).await;
        self.answer_lost |= answer.is_err();
        self.pause = answer.is_err().then(|| self.waits.after_failure());
        if answer.is_ok() {
            self.waits.reset();
        }
        answer
    }

    async fn fetch_or_wait(&mut self, want: usize) -> Answer {
        loop {
            let found = self.fetch(want).await?;
            if !found.is_empty() || !self.wait().await? {
                return Ok(found);
            }
        }
    }

    async fn fetch(&mut self, want: usize) -> Answer {
        self.answer_lost |= self.failed_settlements.has_changed().unwrap_or(false);
        if self.answer_lost {
            let lost = self.reread().await?;
            self.answer_lost = false;
            if !lost.is_empty() {
                return Ok(lost);
            }
        }
        let mut call = self.shared.call(&scripts::FETCH);
        call.arg(self.worker.as_bytes()).arg(want.min(BATCH)).arg(&*name(self.queue));
        self.shared.take(self.worker, &call).await
    }

    /// What the worker holds in Redis and this process does not know.
    async fn reread(&mut self) -> Answer {
        self.failed_settlements.mark_unchanged();
        let mut call = self.shared.call(&scripts::REREAD);
        call.arg(self.worker.as_bytes()).arg(&*name(self.queue));
        self.shared.recover(self.worker, &call).await
    }

    /// Waits until a fetch may find something. False when the consumer was paused or dropped.
    async fn wait(&mut self) -> Result<bool, BrokerError> {
        let waiter = match self.waiter.take() {
            Some(waiter) => Ok(waiter),
            None => Waiter::connect(&self.shared).await,
        };
        let mut waiter = match waiter {
            Ok(waiter) => waiter,
            Err(error) => return Ok(self.poll_later(&error).await),
        };
        let queues = [self.queue];
        let request = tokio::select! {
            biased;
            rung = waiter.rung(&self.shared, &queues) => return self.after_wait(waiter, rung),
            Ok(()) = self.failed_settlements.changed() => {
                self.answer_lost = true;
                self.waiter = waiter.leave(&self.shared).await;
                return Ok(true);
            }
            request = self.requests.recv() => request,
        };
        self.waiter = waiter.leave(&self.shared).await;
        if let Some(request) = request {
            self.handle(request).await;
        }
        Ok(false)
    }

    /// After the bell, or after a wait without it.
    fn after_wait(&mut self, waiter: Waiter, rung: RedisResult<()>) -> Result<bool, BrokerError> {
        match rung {
            Ok(()) => self.waiter = Some(waiter),
            Err(error) if error.is_timeout() => {
                tracing::warn!(queue = %self.queue, "a connection that waited for work does not answer; it \
                    is replaced");
                // It may have taken the bell's token.
                self.answer_lost = true;
            }
            Err(error) => return Err(failure(&error)),
        }
        Ok(true)
    }

    /// Without a connection that waits for the bell, the task fetches once in every `PULSE`. False when the
    /// consumer was paused or dropped.
    async fn poll_later(&mut self, error: &BrokerError) -> bool {
        tracing::debug!(queue = %self.queue, %error, "no connection waits for work; this worker fetches \
            every {PULSE:?}");
        tokio::select! {
            () = sleep(PULSE) => true,
            request = self.requests.recv() => {
                if let Some(request) = request {
                    self.handle(request).await;
                }
                false
            }
        }
    }

    /// A request that comes while nothing is being fetched. It is no `Next`: its consumer still awaits the
    /// one before.
    async fn handle(&mut self, request: Request) {
        if let Request::Pause { back, done } = request {
            self.release_lost().await;
            // Fails when the consumer was dropped meanwhile.
            let _ = done.send(self.give_back(back).await);
        }
    }

    async fn give_back(&mut self, deliveries: Vec<Delivery>) -> Result<(), BrokerError> {
        let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        let result = self.shared.settle(&scripts::RELEASE, &receipts).await.map(drop);
        if let Err(error) = &result {
            tracing::warn!(worker = %self.worker, queue = %self.queue, %error, "could not give messages \
                back yet");
        }
        result
    }
}
