//! The broker in one SQLite file, the same one as the store's (the embedded profile).
//!
//! Guarantees: a message is a row from publish to ack; whether it waits or is held is a row beside it, so
//! nothing is lost with a process; order is that of the rows, so what is released stands where it stood;
//! costs do not follow a queue's length. Never does: keep messages in memory, apart from those of a `next`
//! that was dropped, until its consumer is dropped.

mod consumer;
mod error;
pub(crate) mod held;
mod peek;
pub(crate) mod queue;
mod restore;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use self::{consumer::SqliteConsumer, held::Held};
use super::{Broker, BrokerError, Consumer, DeadLettered, Depth, Found, Missing, Receipt};
use crate::backend::sqlite::{Database, Write};
use clawpool_core::{
    config::{Config, QueueLimits},
    task::{DeadReason, Message, ProcessId, Queue, Timestamp},
};

pub struct SqliteBroker {
    database: Arc<Database>,
    pub(crate) limits: QueueLimits,
    pub(crate) held: Arc<Held>,
}

impl SqliteBroker {
    /// Opens the configured file, making it when missing.
    pub async fn open(config: &Config) -> Result<Self, BrokerError> {
        Ok(Self::on(Database::shared(config).await?, config))
    }

    pub(crate) fn on(database: Arc<Database>, config: &Config) -> Self {
        Self { database, limits: config.queue_limits(), held: Arc::default() }
    }
}

#[async_trait]
impl Broker for SqliteBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        let count = messages.len();
        let limits = self.limits.clone();
        match self.database.write(move |write| queue::publish(write, &limits, &messages)).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(error.into()); count],
        }
    }

    async fn consume(&self, worker: ProcessId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(SqliteConsumer::new(self.database.clone(), self.held.clone(), worker, queue)))
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let settled = receipts.clone();
        let acknowledged = self.database.write(move |write| queue::ack(write.sql, &settled)).await;
        // If it failed, they are given back, and dropped at their next claims.
        self.held.remove(&receipts);
        Ok(acknowledged?)
    }

    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let settled = receipts.clone();
        let released = self.database.write(move |write| queue::release(write, &settled)).await;
        self.held.remove(&receipts);
        Ok(released?)
    }

    async fn reclaim(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let work = move |write: &mut Write<'_>| {
            Ok(queue::reclaim(write, worker)? + queue::reclaim_claimed(write, worker)?)
        };
        Ok(self.database.write(work).await?)
    }

    async fn reconcile(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        if !self.held.is_due(worker) {
            return Ok(0);
        }
        let holds = self.database.read(move |sql| queue::held_by(sql, worker)).await;
        let lost = self.held.lost(worker, holds.inspect_err(|_| self.held.changed())?);
        if lost.is_empty() {
            return Ok(0);
        }
        let count = lost.len() as u64;
        let released = self.database.write(move |write| queue::release(write, &lost)).await;
        released.inspect_err(|_| self.held.changed())?;
        Ok(count)
    }

    async fn take_dead_lettered(
        &self,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        // Reads before it writes: mostly nothing has expired.
        let expired = self.database.read(|sql| queue::expired(sql, Timestamp::now())).await?;
        if expired.is_empty() {
            return Ok(Vec::new());
        }
        let held = self.held.clone();
        let expired = self.database.write(move |write| {
            let expired = queue::take_expired(write, worker, &expired, limit)?;
            held.add(&expired);
            Ok(expired)
        });
        let expired = expired.await?;
        let dead_lettered = |delivery| DeadLettered { delivery, reason: DeadReason::Expired };
        Ok(expired.into_iter().map(dead_lettered).collect())
    }

    async fn restore(&self, missing: &[Missing], living: &[ProcessId]) -> Result<Vec<Found>, BrokerError> {
        let asked = missing.to_vec();
        let rows = self.database.read(move |sql| restore::look(sql, &asked)).await?;
        let present = |row: &restore::Row| restore::is_present(row, living);
        let lost: Vec<_> = rows.iter().flatten().filter(|row| !present(row)).copied().collect();
        if !lost.is_empty() {
            self.database.write(move |write| restore::put_back(write, &lost)).await?;
        }
        Ok(rows.iter().map(|row| restore::found(row.as_ref(), row.as_ref().is_some_and(present))).collect())
    }

    async fn peek(&self, wanted: Missing, enqueued_at: Timestamp) -> Result<Option<Message>, BrokerError> {
        Ok(self.database.read(move |sql| peek::peek(sql, &wanted, enqueued_at)).await?)
    }

    async fn peek_all(&self, wanted: &[(Missing, Timestamp)]) -> Result<Vec<Option<Message>>, BrokerError> {
        let wanted = wanted.to_vec();
        Ok(self.database.read(move |sql| peek::peek_all(sql, &wanted)).await?)
    }

    fn can_peek(&self, _: Queue) -> bool {
        true
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        Ok(self.database.read(move |sql| queue::depth(sql, queue)).await?)
    }
}
