use async_trait::async_trait;

use super::RedisPath;
use crate::{
    backend::redis::pulse::PULSE,
    broker::redis::{shared::failure, waiter::Waiter},
    path::{PathError, Source, Taken, Taker, Wants},
};
use clawpool_core::task::Queue;

/// Tasks of several queues of one Redis. While there are none, a connection of its own waits for their bells.
pub(super) struct RedisSource {
    pub(super) path: RedisPath,
    pub(super) taker: Taker,
    waiter: Option<Waiter>,
}

impl RedisSource {
    pub(super) fn new(path: RedisPath, taker: Taker) -> Self {
        Self { path, taker, waiter: None }
    }

    /// Waits for a bell, or for so long that it is time to look. A wait that is dropped goes on.
    async fn wait(&mut self, queues: &[Queue]) -> Result<(), PathError> {
        let shared = &self.path.shared;
        let waiter = match &mut self.waiter {
            Some(waiter) => waiter,
            None => match Waiter::connect(shared).await {
                Ok(waiter) => self.waiter.insert(waiter),
                Err(error) => {
                    tracing::debug!(%error, "no connection waits for work; it is looked for every {PULSE:?}");
                    tokio::time::sleep(PULSE).await;
                    return Ok(());
                }
            },
        };
        let Err(error) = waiter.rung(shared, queues).await else { return Ok(()) };
        self.waiter = None;
        if error.is_timeout() {
            tracing::warn!("a connection that waited for work does not answer; it is replaced");
            return Ok(());
        }
        Err(failure(&error).into())
    }

    /// A token that came meanwhile goes on to another worker.
    async fn stop_waiting(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.waiter = waiter.leave(&self.path.shared).await;
        }
    }
}

#[async_trait]
impl Source for RedisSource {
    async fn take(&mut self, wants: &Wants) -> Result<Taken, PathError> {
        self.take_now(wants).await
    }

    async fn ready(&mut self, wants: &Wants) -> Result<(), PathError> {
        let mut queues: Vec<Queue> = wants.queues.iter().map(|want| want.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        if queues.is_empty() {
            return std::future::pending().await;
        }
        if self.waiter.as_ref().is_some_and(|waiter| waiter.is_waiting() && waiter.queues() != queues) {
            self.stop_waiting().await;
        }
        self.wait(&queues).await
    }

    async fn unwanted(&mut self) {
        if let Some(waiter) = self.waiter.as_ref().filter(|waiter| waiter.is_waiting()) {
            let queues = waiter.queues().to_vec();
            if self.wait(&queues).await.is_ok() {
                self.stop_waiting().await;
                for queue in queues {
                    self.path.shared.ring(queue).await;
                }
            }
        }
        std::future::pending().await
    }

    async fn rest(&mut self) {
        self.stop_waiting().await;
    }

    async fn close(&mut self) {
        self.stop_waiting().await;
        self.waiter = None;
    }
}
