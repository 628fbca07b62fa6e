//! The pulling end: cancel-safe, because it only waits for answers that somebody else asks for.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{
    feed::{Answer, Ask, Feed},
    shared::Shared,
};
use crate::broker::{BrokerError, Consumer, Delivery};
use clawpool_core::task::{Queue, WorkerId};

/// The pulling end of a [`Feed`]. All talk with Redis is the feed's, a task of its own: a dropped `next` leaves the feed
/// to finish what it does, and the answer stays here for the next call.
pub(super) struct RedisConsumer {
    asks: mpsc::Sender<Ask>,
    pending: Option<oneshot::Receiver<Answer>>,
    ready: VecDeque<Delivery>,
}

impl RedisConsumer {
    pub(super) fn start(shared: Arc<Shared>, worker: WorkerId, queue: Queue) -> Self {
        // Room for each kind of ask once, so that `drop` never finds it full.
        let (asks, receiver) = mpsc::channel(4);
        tokio::spawn(Feed::new(shared, worker, queue, receiver).run());
        Self { asks, pending: None, ready: VecDeque::new() }
    }

    /// Fills `ready` with at least one delivery.
    async fn fill(&mut self, want: usize) -> Result<(), BrokerError> {
        while self.ready.is_empty() {
            let pending = match &mut self.pending {
                Some(pending) => pending,
                None => {
                    let (answer, receiver) = oneshot::channel();
                    self.asks.send(Ask::Next { want, answer }).await.map_err(|_| stopped())?;
                    self.pending.insert(receiver)
                }
            };
            let answer = pending.await;
            self.pending = None;
            self.ready.extend(answer.map_err(|_| stopped())??);
        }
        Ok(())
    }

    /// What has arrived and was not returned.
    fn leftovers(&mut self) -> Vec<Delivery> {
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

    async fn rest(&mut self) -> Result<(), BrokerError> {
        if self.pending.is_none() && self.ready.is_empty() {
            return Ok(());
        }
        // Room first: from here on to the sending nothing waits, so a dropped `rest` loses no delivery either. What the
        // feed fetches before it hears of this comes back to it as unwanted.
        let room = self.asks.clone().reserve_owned().await.map_err(|_| stopped())?;
        let (done, resting) = oneshot::channel();
        room.send(Ask::Rest { back: self.leftovers(), done });
        resting.await.map_err(|_| stopped())?
    }
}

impl Drop for RedisConsumer {
    fn drop(&mut self) {
        let back = self.leftovers();
        if !back.is_empty() {
            let (done, _) = oneshot::channel();
            // Fails only when the feed is gone, with the whole process's runtime; then the reaper gives them back.
            let _ = self.asks.try_send(Ask::Rest { back, done });
        }
    }
}

fn stopped() -> BrokerError {
    BrokerError::Unavailable { broker: "redis", reason: "this process is stopping".into() }
}
