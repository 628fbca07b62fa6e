use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{held::Held, queue};
use crate::{
    backend::sqlite::{Database, DatabaseError, Topic},
    broker::{BrokerError, Consumer, Delivery, Receipt},
};
use clawpool_core::task::{ProcessId, Queue};

pub(super) struct SqliteConsumer {
    database: Arc<Database>,
    held: Arc<Held>,
    worker: ProcessId,
    queue: Queue,
    /// Changes when the queue has work; subscribed at the first wait.
    bell: Option<watch::Receiver<()>>,
    /// Taken for a `next` that was dropped before it could return them.
    prefetched: Prefetched,
    /// A `next` was dropped while the writer took messages for it.
    pending: Option<Pending>,
    /// The last take brought all that was wanted, so there is probably more.
    has_more: bool,
}

type Pending = futures::future::BoxFuture<'static, Result<Prefetched, DatabaseError>>;

impl SqliteConsumer {
    pub(super) fn new(database: Arc<Database>, held: Arc<Held>, worker: ProcessId, queue: Queue) -> Self {
        let prefetched =
            Prefetched { database: database.clone(), held: held.clone(), deliveries: Vec::new() };
        Self { database, held, worker, queue, bell: None, prefetched, pending: None, has_more: false }
    }

    /// Takes what is ready, which may be nothing. What a dropped call has taken stays with the consumer.
    async fn take(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError> {
        if self.prefetched.deliveries.is_empty() {
            let database = &self.database;
            let held = &self.held;
            let pending = self
                .pending
                .get_or_insert_with(|| take(database.clone(), held.clone(), self.worker, self.queue, want));
            let taken = pending.await;
            self.pending = None;
            self.prefetched.deliveries.append(&mut taken?.deliveries);
        }
        let count = want.min(self.prefetched.deliveries.len());
        self.has_more = count == want;
        Ok(self.prefetched.deliveries.drain(..count).collect())
    }

    async fn is_ready(&mut self) -> Result<bool, DatabaseError> {
        let queue = self.queue;
        self.database.read(move |sql| Ok(queue::ready(sql, queue)? > 0)).await
    }
}

#[async_trait]
impl Consumer for SqliteConsumer {
    async fn next(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError> {
        let want = want.max(1);
        loop {
            if let Some(bell) = &mut self.bell {
                // Before the check, so that no change is missed between check and wait.
                bell.mark_unchanged();
            }
            // Many consumers wake for one message. They check first, which takes no lock.
            let check = !self.has_more && self.pending.is_none() && self.prefetched.deliveries.is_empty();
            if !check || self.is_ready().await? {
                let deliveries = self.take(want).await?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
            }
            match &mut self.bell {
                // Fails only when the database is gone, which this consumer holds.
                Some(bell) => drop(bell.changed().await),
                None => self.bell = Some(self.database.listen(Topic::Ready(self.queue)).await?),
            }
        }
    }

    async fn pause(&mut self) -> Result<(), BrokerError> {
        if let Some(pending) = self.pending.take() {
            self.prefetched.deliveries.append(&mut pending.await?.deliveries);
        }
        let receipts = self.prefetched.receipts();
        if !receipts.is_empty() {
            let settled = receipts.clone();
            self.database.write(move |write| queue::release(write, &settled)).await?;
            self.held.remove(&receipts);
            self.prefetched.deliveries.clear();
        }
        Ok(())
    }
}

/// Not a borrow of the consumer: the answer may come after its `next` was dropped.
fn take(database: Arc<Database>, held: Arc<Held>, worker: ProcessId, queue: Queue, want: usize) -> Pending {
    Box::pin(async move {
        let owner = database.clone();
        let work = move |write: &mut crate::backend::sqlite::Write<'_>| {
            let deliveries = queue::take(write, worker, queue, want)?;
            held.add(&deliveries);
            Ok(Prefetched { deliveries, held, database: owner })
        };
        database.write(work).await
    })
}

/// Messages marked as held by a worker that has not received them yet. When the consumer is dropped they go
/// back to their queue, from its buffer or on their way from the writer. If that fails, `Broker::reconcile`
/// gives them back.
struct Prefetched {
    deliveries: Vec<Delivery>,
    held: Arc<Held>,
    database: Arc<Database>,
}

impl Prefetched {
    fn receipts(&self) -> Vec<Receipt> {
        self.deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
    }
}

impl Drop for Prefetched {
    fn drop(&mut self) {
        let receipts = self.receipts();
        if !receipts.is_empty() {
            self.held.remove(&receipts);
            self.database.write_detached(move |write| queue::release(write, &receipts));
        }
    }
}
