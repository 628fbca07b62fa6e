//! The task store; its larger steps are in `admit`, `claim`, `settle` and `record`.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{BATCH, RedisStore, record, scripts};
use crate::{
    backend::{Unreadable, redis::packed},
    store::{
        Admission, Admitted, Cancelled, Claim, ClaimOutcome, Looked, Page, Record, RecordFilter, Settlement,
        StoreError, TaskStore, UnfinishedTask, Withdrawal, Withdrawn,
    },
};
use clawpool_core::task::{IdEnd, Message, ProcessId, Queue, State, TaskId};

#[async_trait]
impl TaskStore for RedisStore {
    async fn admit(&self, tasks: &[Admission]) -> Result<Vec<Admitted>, StoreError> {
        self.admit_all(tasks).await
    }

    async fn withdraw(&self, tasks: &[Withdrawal]) -> Result<Vec<Withdrawn>, StoreError> {
        self.withdraw_all(tasks).await
    }

    async fn confirm(&self, id: TaskId) -> Result<bool, StoreError> {
        let mut call = self.call(&scripts::CONFIRM);
        call.arg(id.as_bytes());
        self.run(&call).await
    }

    async fn move_to(&self, messages: &[Message], queue: Queue) -> Result<Vec<bool>, StoreError> {
        let mut answers = Vec::with_capacity(messages.len());
        for chunk in messages.chunks(BATCH) {
            let mut call = self.call(&scripts::MOVE_TO);
            call.arg(queue.priority().index());
            call.arg(queue.own().map(Queue::written).as_deref().unwrap_or_default());
            for message in chunk {
                call.arg(&packed::entry(message.id, message.generation)[..]);
            }
            let moved: String = self.run(&call).await?;
            answers.extend(moved.bytes().map(|moved| moved == b'1'));
        }
        Ok(answers)
    }

    async fn claim(
        &self,
        worker: ProcessId,
        claims: &[Claim],
        takeover: bool,
    ) -> Result<Vec<ClaimOutcome>, StoreError> {
        self.claim_all(worker, claims, takeover).await
    }

    async fn settle(&self, _: ProcessId, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError> {
        self.settle_all(settlements).await
    }

    async fn cancel(&self, id: TaskId) -> Result<Cancelled, StoreError> {
        let mut call = self.call(&scripts::CANCEL);
        call.arg(id.as_bytes()).arg(self.remembered());
        let found: String = self.run(&call).await?;
        if found.is_empty() {
            return Ok(Cancelled::Unknown);
        }
        Ok(match record::state(&found)? {
            State::Running => Cancelled::Signalled,
            state if state.is_final() => Cancelled::TooLate(state),
            _ => Cancelled::Done,
        })
    }

    async fn record(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        let mut found = self.read_record(id).await?;
        if let Some(record) = &mut found {
            self.mark_orphans(std::slice::from_mut(record)).await?;
            self.check_due(record).await?;
        }
        Ok(found)
    }

    async fn wait(&self, id: TaskId, timeout: Duration) -> Result<Option<Record>, StoreError> {
        match tokio::time::timeout(timeout, self.until_final(id)).await {
            Ok(record) => record,
            Err(_) => self.record(id).await,
        }
    }

    async fn look(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Looked, StoreError> {
        self.list_records(filter, cursor, limit).await
    }

    async fn ending_in(&self, end: &IdEnd) -> Result<Vec<TaskId>, StoreError> {
        self.ids_ending_in(end).await
    }

    async fn reroute(&self, messages: &[Message]) -> Result<Vec<bool>, StoreError> {
        let mut answers = Vec::with_capacity(messages.len());
        for chunk in messages.chunks(BATCH) {
            let mut call = self.call(&scripts::REROUTE);
            for message in chunk {
                call.arg(&packed::entry(message.id, message.generation)[..]);
                call.arg(message.priority().index());
                call.arg(message.queue.own().map(Queue::written).as_deref().unwrap_or_default());
                call.arg(packed::pack(message));
            }
            let rerouted: String = self.run(&call).await?;
            answers.extend(rerouted.bytes().map(|rerouted| rerouted == b'1'));
        }
        Ok(answers)
    }

    async fn unfinished(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<UnfinishedTask>, StoreError> {
        self.walk_unfinished(cursor, limit).await
    }

    async fn unreadable(&self, told: &[Unreadable]) -> Result<Vec<Unreadable>, StoreError> {
        self.untold_unreadable(told).await
    }
}

impl RedisStore {
    async fn until_final(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        let mut end = self.events().end_of(id);
        let mut seen = self.watch(id).await?;
        while seen.as_ref().is_some_and(|record| !record.state.is_final()) {
            end.over().await;
            // Listening comes before looking, so that an end between the two is not missed.
            end = self.events().end_of(id);
            seen = match self.watch(id).await {
                // Redis is away, and the wait goes on.
                Err(error) if error.is_retryable() => seen,
                answer => answer?,
            };
        }
        Ok(seen)
    }

    /// The record; its end will be announced when it is still to come.
    async fn watch(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        let mut call = self.call(&scripts::WATCH);
        call.arg(id.as_bytes());
        let bytes: Option<Bytes> = self.run(&call).await?;
        match bytes {
            Some(bytes) => self.readable(id, bytes).await,
            None => Ok(None),
        }
    }
}
