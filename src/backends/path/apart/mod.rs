//! The path over any broker and any store, which may be different servers. The record is written before the
//! message is published, a message is claimed before its task runs, and settled before it is acknowledged.
//!
//! Guarantees: a crash between two steps leaves at most a surplus message, which its next claim drops, or a
//! record whose message the leader's search puts back. Never does: acknowledge what is not settled.

mod arrivals;
pub(in crate::path) mod claims;
mod confirmed;
mod fetcher;
mod find;
mod finish;
pub(in crate::path) mod offer;
mod promote;
mod reroute;
mod search;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use self::{confirmed::Confirmed, finish::Acknowledgements, source::ApartSource};
use super::{Attempt, Offered, Path, PathError, Promoted, Reclaim, Source, Taker};
use crate::{
    broker::Broker,
    store::{Admission, Claimed, End, Fence, Settlement, Store},
};
use clawpool_core::task::{ProcessId, TaskId};

pub use find::{find, live_workers, peek};
pub use reroute::{Rerouted, reroute};
pub use search::{Searched, search};

/// A broker and a store, each of any kind.
#[derive(Clone)]
pub struct Apart {
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    confirmed: Arc<Confirmed>,
    acknowledgements: Acknowledgements,
}

impl Apart {
    pub fn new(broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Self {
        Self { broker, store, confirmed: Arc::default(), acknowledgements: TaskTracker::new() }
    }

    /// The messages of these tasks are on their queues now.
    pub(super) fn saw_confirmed(&self, ids: impl Iterator<Item = TaskId>) {
        self.confirmed.remember(ids);
    }
}

#[async_trait]
impl Reclaim for Apart {
    async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError> {
        self.acknowledgements.close();
        self.acknowledgements.wait().await;
        self.acknowledgements.reopen();
        Ok(self.broker.reclaim(worker).await?)
    }
}

#[async_trait]
impl Path for Apart {
    async fn offer(&self, tasks: &[Admission]) -> Vec<Offered> {
        self.enqueue(tasks).await
    }

    async fn source(&self, taker: Taker) -> Box<dyn Source> {
        Box::new(ApartSource::new(self.clone(), taker))
    }

    async fn finish(&self, worker: ProcessId, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        self.settle(worker, attempts).await
    }

    async fn disown(&self, worker: ProcessId, claims: &[Claimed]) -> Result<Vec<bool>, PathError> {
        let released = |claimed: &Claimed| Settlement::uncounted(*claimed, End::Released);
        let settlements: Vec<Settlement> = claims.iter().map(released).collect();
        Ok(self.store.settle(worker, &settlements).await?)
    }

    async fn reconcile(&self, worker: ProcessId) -> Result<u64, PathError> {
        Ok(self.broker.reconcile(worker).await?)
    }

    async fn promote(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        self.promote_due(fence, limit).await
    }
}
