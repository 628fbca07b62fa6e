//! The path where queue and record live on one Redis: each verb is one script.
//!
//! Guarantees: a task is taken off its queue and claimed in one step, and its outcome and the end of its
//! message are one step too, so that no crash falls between them. Never does: mark a message as being with a
//! worker: the task's record says who runs it, and its message goes back when that worker is gone.
//!
//! What is rare goes the way of [`Apart`]: offers that repeat a known task, and due tasks of other lanes.

mod finish;
mod offer;
mod promote;
mod reconcile;
mod scripts;
mod source;
mod take;

use std::sync::Arc;

use async_trait::async_trait;

use self::source::RedisSource;
use super::{Apart, Attempt, Offered, Path, PathError, Promoted, Reclaim, Source, Taker};
use crate::{
    broker::{
        redis::{RedisBroker, shared::Shared},
        unsettled::UnknownDeliveries,
    },
    store::{Admission, Claimed, Fence, redis::RedisStore},
};
use clawpool_core::task::{Lane, ProcessId, TaskId};

/// Over some lanes of one Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisPath {
    store: Arc<RedisStore>,
    shared: Arc<Shared>,
    apart: Apart,
    /// Over all lanes: due tasks of all are in one set.
    others: Apart,
    /// The names of its lanes.
    lanes: Arc<str>,
    /// Claims that Redis counts as this process's, and that it does not know.
    unknown: Arc<UnknownDeliveries<(TaskId, u64)>>,
}

impl RedisPath {
    /// `others`: over all lanes of the pool, on whatever brokers they are.
    pub fn new(broker: Arc<RedisBroker>, store: Arc<RedisStore>, lanes: &[Lane], others: Apart) -> Self {
        let lanes: Vec<&str> = lanes.iter().map(|lane| lane.name()).collect();
        Self {
            shared: Arc::clone(&broker.shared),
            apart: Apart::new(broker, Arc::clone(&store) as _),
            store,
            others,
            lanes: lanes.join(",").into(),
            unknown: Arc::default(),
        }
    }
}

#[async_trait]
impl Reclaim for RedisPath {
    async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError> {
        let mut call = self.store.call(&scripts::RECLAIM);
        call.arg(worker.as_bytes()).arg(&*self.lanes);
        let back: u64 = self.store.run(&call).await?;
        // A worker of the version before has marked what it holds.
        Ok(back + self.apart.reclaim(worker).await?)
    }
}

#[async_trait]
impl Path for RedisPath {
    async fn offer(&self, tasks: &[Admission]) -> Vec<Offered> {
        self.offer_all(tasks).await
    }

    async fn source(&self, taker: Taker) -> Box<dyn Source> {
        Box::new(RedisSource::new(self.clone(), taker))
    }

    async fn finish(&self, _worker: ProcessId, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        self.finish_all(attempts).await
    }

    async fn disown(&self, _worker: ProcessId, claims: &[Claimed]) -> Result<Vec<bool>, PathError> {
        self.release(claims).await
    }

    async fn reconcile(&self, worker: ProcessId) -> Result<u64, PathError> {
        self.compare(worker).await
    }

    async fn promote(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        self.promote_due(fence, limit).await
    }
}
