use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{
    SqliteStore, admission,
    claim::{self, Claimant},
    listing, moving, records, settle, withdrawal,
};
use crate::{
    backend::{StoredItem, Unreadable},
    store::{
        Admission, Admitted, Cancelled, Claim, ClaimOutcome, Looked, Page, Record, RecordFilter, Settlement,
        StoreError, TaskStore, UnfinishedTask, Withdrawal, Withdrawn,
    },
};
use clawpool_core::task::{IdEnd, Message, ProcessId, Queue, TaskId};

#[async_trait]
impl TaskStore for SqliteStore {
    async fn admit(&self, tasks: &[Admission]) -> Result<Vec<Admitted>, StoreError> {
        let tasks = tasks.to_vec();
        Ok(self.database.write(move |write| admission::admit(write, &tasks)).await?)
    }

    async fn withdraw(&self, tasks: &[Withdrawal]) -> Result<Vec<Withdrawn>, StoreError> {
        let rules = self.rules;
        let tasks = tasks.to_vec();
        Ok(self.database.write(move |write| withdrawal::withdraw(write, &rules, &tasks)).await?)
    }

    async fn confirm(&self, id: TaskId) -> Result<bool, StoreError> {
        Ok(self.database.write(move |write| withdrawal::confirm(write, id)).await?)
    }

    async fn move_to(&self, messages: &[Message], queue: Queue) -> Result<Vec<bool>, StoreError> {
        let messages = messages.to_vec();
        Ok(self.database.write(move |write| moving::move_to(write, &messages, queue)).await?)
    }

    async fn claim(
        &self,
        worker: ProcessId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<ClaimOutcome>, StoreError> {
        let rules = self.rules;
        let by = Claimant { worker, takeover };
        let claims = claims.to_vec();
        Ok(self.database.write(move |write| claim::claim(write, &rules, &by, &claims)).await?)
    }

    /// The token alone is the right to settle; whose it is need not be asked.
    async fn settle(&self, _: ProcessId, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError> {
        let rules = self.rules;
        let settlements = settlements.to_vec();
        Ok(self.database.write(move |write| settle::settle(write, &rules, &settlements)).await?)
    }

    async fn cancel(&self, id: TaskId) -> Result<Cancelled, StoreError> {
        let rules = self.rules;
        Ok(self.database.write(move |write| settle::cancel(write, &rules, id)).await?)
    }

    async fn record(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        self.read_around(StoredItem::Record, move |sql| records::one(sql, id)).await
    }

    async fn wait(&self, id: TaskId, timeout: Duration) -> Result<Option<Record>, StoreError> {
        let deadline = Instant::now() + timeout;
        let waiter = self.database.listen_for(id).await?;
        loop {
            // Enabled before the look, so that no ring is missed between look and wait.
            let mut ring = std::pin::pin!(waiter.bell.notified());
            ring.as_mut().enable();
            let record = self.record(id).await?;
            let over = record.as_ref().is_none_or(|record| record.state.is_final());
            if over || timeout_at(deadline, ring).await.is_err() {
                return if over { Ok(record) } else { self.record(id).await };
            }
        }
    }

    async fn look(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Looked, StoreError> {
        let filter = filter.clone();
        let after = cursor.map(listing::Place::parse).transpose()?;
        let limit = limit.max(1);
        self.read_around(StoredItem::Record, move |sql| listing::list(sql, &filter, after, limit)).await
    }

    async fn ending_in(&self, end: &IdEnd) -> Result<Vec<TaskId>, StoreError> {
        let end = end.clone();
        Ok(self.database.read(move |sql| records::ending_in(sql, &end)).await?)
    }

    async fn reroute(&self, messages: &[Message]) -> Result<Vec<bool>, StoreError> {
        let messages = messages.to_vec();
        Ok(self.database.write(move |write| moving::reroute(write, &messages)).await?)
    }

    async fn unfinished(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<UnfinishedTask>, StoreError> {
        let after = cursor.map(records::id_cursor).transpose()?;
        let limit = limit.max(1);
        let mut items =
            self.read_around(StoredItem::Record, move |sql| records::unfinished(sql, after, limit)).await?;
        let last = items.last().filter(|_| items.len() == limit).map(|last| last.id.to_string());
        items.retain(|task| !task.state.is_final());
        Ok(Page::new(items, last))
    }

    async fn unreadable(&self, told: &[Unreadable]) -> Result<Vec<Unreadable>, StoreError> {
        self.untold_unreadable(told).await
    }
}
