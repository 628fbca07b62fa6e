//! A worker's consumer of one queue. Cancel-safe, because a task of its own talks with Redis.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{
    consumer_task::{Answer, ConsumerTask, Request},
    shared::Shared,
};
use crate::broker::{BrokerError, Consumer, Delivery};
use clawpool_core::task::{ProcessId, Queue};

/// Sends requests to a [`ConsumerTask`], which alone talks with Redis. A dropped `next` leaves the task to
/// finish what it does, and the answer stays here for the next call.
pub(super) struct RedisConsumer {
    requests: mpsc::Sender<Request>,
    pending: Option<oneshot::Receiver<Answer>>,
    ready: VecDeque<Delivery>,
}

impl RedisConsumer {
    pub(super) fn start(shared: Arc<Shared>, worker: ProcessId, queue: Queue) -> Self {
        // Room for each kind of request once, so that `drop` never finds it full.
        let (requests, receiver) = mpsc::channel(4);
        tokio::spawn(ConsumerTask::new(shared, worker, queue, receiver).run());
        Self { requests, pending: None, ready: VecDeque::new() }
    }

    /// Fills `ready` with at least one delivery.
    async fn fill(&mut self, want: usize) -> Result<(), BrokerError> {
        while self.ready.is_empty() {
            let pending = match &mut self.pending {
                Some(pending) => pending,
                None => {
                    let (answer, receiver) = oneshot::channel();
                    self.requests.send(Request::Next { want, answer }).await.map_err(|_| stopped())?;
                    self.pending.insert(receiver)
                }
            };
            let answer = pending.await;
            self.pending = None;
            self.ready.extend(answer.map_err(|_| stopped())??);
        }
        Ok(())
    }

    /// Deliveries that have arrived and were not returned.
    fn not_returned(&mut self) -> Vec<Delivery> {
        if let Some(mut pending) = self.pending.take() {
            pending.close();
            if let Ok(Ok(arrived)) = pending.try_recv() {
                self.ready.extend(arrived);
            }
        }
        self.ready.drain(..).collect()
    }
}

#[async_trait]
impl Consumer for RedisConsumer {
    async fn next(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError> {
        self.fill(want.max(1)).await?;
        let count = want.clamp(1, self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    async fn pause(&mut self) -> Result<(), BrokerError> {
        if self.pending.is_none() && self.ready.is_empty() {
            return Ok(());
        }
        // Room first: from here on to the sending nothing waits, so a dropped `pause` loses no delivery
        // either. What the task fetches before it hears of this comes back to it as unwanted.
        let room = self.requests.clone().reserve_owned().await.map_err(|_| stopped())?;
        let (done, paused) = oneshot::channel();
        room.send(Request::Pause { back: self.not_returned(), done });
        paused.await.map_err(|_| stopped())?
    }
}

impl Drop for RedisConsumer {
    fn drop(&mut self) {
        let back = self.not_returned();
        if !back.is_empty() {
            let (done, _) = oneshot::channel();
            // Fails only when the task is gone, with the whole process's runtime; then the reaper gives them
            // back.
            let _ = self.requests.try_send(Request::Pause { back, done });
        }
    }
}

fn stopped() -> BrokerError {
    BrokerError::Unavailable { broker: "redis", reason: "this process is stopping".into() }
}
