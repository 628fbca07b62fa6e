use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{held::Held, queue};
use crate::{
    backend::sqlite::{Database, DatabaseError, Topic},
    broker::{BrokerError, Consumer, Delivery, Receipt},
};
use clawpool_core::task::{Queue, WorkerId};

pub(super) struct SqliteConsumer {
    database: Arc<Database>,
    held: Arc<Held>,
    worker: WorkerId,
    queue: Queue,
    /// Rings when the queue has work; from the first wait on.
    bell: Option<watch::Receiver<()>>,
    /// Taken for a `next` that was dropped before it could return them.
    kept: Handout,
    /// A `next` was dropped while the writer took messages for it.
    pending: Option<Pending>,
    /// The last take brought all that was wanted, so there is probably more.
    plenty: bool,
}

type Pending = futures::future::BoxFuture<'static, Result<Handout, DatabaseError>>;

impl SqliteConsumer {
    pub(super) fn new(database: Arc<Database>, held: Arc<Held>, worker: WorkerId, queue: Queue) -> Self {
        let kept = Handout { database: database.clone(), held: held.clone(), deliveries: Vec::new() };
        Self { database, held, worker, queue, bell: None, kept, pending: None, plenty: false }
    }

    /// Takes what is ready, which may be nothing. What a dropped call has taken stays with the consumer.
    async fn take(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError> {
        if self.kept.deliveries.is_empty() {
            let (database, held) = (&self.database, &self.held);
            let pending =
                self.pending.get_or_insert_with(|| take(database.clone(), held.clone(), self.worker, self.queue, want));
            let taken = pending.await;
            self.pending = None;
            self.kept.deliveries.append(&mut taken?.deliveries);
        }
        let count = want.min(self.kept.deliveries.len());
        self.plenty = count == want;
        Ok(self.kept.deliveries.drain(..count).collect())
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
                // Before the look, so that no ring is missed between look and wait.
                bell.mark_unchanged();
            }
            // Many consumers wake for one message. They look first, which takes no lock.
            let look = !self.plenty && self.pending.is_none() && self.kept.deliveries.is_empty();
            if !look || self.is_ready().await? {
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

    async fn rest(&mut self) -> Result<(), BrokerError> {
        if let Some(pending) = self.pending.take() {
            self.kept.deliveries.append(&mut pending.await?.deliveries);
        }
        let receipts = self.kept.receipts();
        if !receipts.is_empty() {
            let settled = receipts.clone();
            self.database.write(move |write| queue::release(write, &settled)).await?;
            self.held.remove(&receipts);
            self.kept.deliveries.clear();
        }
        Ok(())
    }
}

/// Not a borrow of the consumer: the answer may come after its `next` was dropped.
fn take(database: Arc<Database>, held: Arc<Held>, worker: WorkerId, queue: Queue, want: usize) -> Pending {
    Box::pin(async move {
        let keeper = database.clone();
        let work = move |write: &mut crate::backend::sqlite::Write<'_>| {
            let deliveries = queue::take(write, worker, queue, want)?;
            held.add(&deliveries);
            Ok(Handout { deliveries, held, database: keeper })
        };
        database.write(work).await
    })
}

/// Messages marked as held by a worker that has not got them yet. Wherever they are when the consumer goes (in a buffer,
/// on the way from the writer), they go back to their queue; if that fails, with the next looks at what is held.
struct Handout {
    deliveries: Vec<Delivery>,
    held: Arc<Held>,
    database: Arc<Database>,
}

impl Handout {
    fn receipts(&self) -> Vec<Receipt> {
        self.deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
    }
}

impl Drop for Handout {
    fn drop(&mut self) {
        let receipts = self.receipts();
        if !receipts.is_empty() {
            self.held.remove(&receipts);
            self.database.write_detached(move |write| queue::release(write, &receipts));
        }
    }
}
