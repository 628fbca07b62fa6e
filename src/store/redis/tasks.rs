//! The task store; its larger steps are in `admit`, `claim`, `settle` and `record`.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{RedisStore, link, record, scripts};
use crate::{
    store::{
        Admission, Admitted, Cancelled, Claim, Page, Record, RecordFilter, Settlement, StoreError, TaskStore, Verdict,
    },
    task::{State, TaskId, WorkerId},
};

#[async_trait]
impl TaskStore for RedisStore {
    async fn admit(&self, tasks: &[Admission]) -> Result<Vec<Admitted>, StoreError> {
        self.admit_all(tasks).await
    }

    async fn withdraw(&self, tasks: &[TaskId]) -> Result<(), StoreError> {
        let mut call = self.call(&scripts::WITHDRAW);
        for id in tasks {
            call.arg(id.as_bytes());
        }
        self.run(&call).await
    }

    async fn claim(&self, worker: WorkerId, claims: &[Claim], takeover: bool) -> Result<Vec<Verdict>, StoreError> {
        self.claim_all(worker, claims, takeover).await
    }

    async fn settle(&self, _: WorkerId, settlements: &[Settlement]) -> Result<Vec<bool>, StoreError> {
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
        let bytes = self.link.send(cmd("GET").arg(record::key(self.link.base(), id))).await;
        let bytes: Option<Bytes> = bytes.map_err(|error| link::failure(&error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let mut record = record::decode(id, bytes)?;
        self.mark_orphans(std::slice::from_mut(&mut record)).await?;
        Ok(Some(record))
    }

    async fn wait(&self, id: TaskId, timeout: Duration) -> Result<Option<Record>, StoreError> {
        match tokio::time::timeout(timeout, self.until_final(id)).await {
            Ok(record) => record,
            Err(_) => self.record(id).await,
        }
    }

    async fn records(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>, StoreError> {
        self.list_records(filter, cursor, limit).await
    }
}

impl RedisStore {
    async fn until_final(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        loop {
            // Listening comes before looking, so that an end between the two is not missed.
            let end = self.events.end_of(id);
            let mut call = self.call(&scripts::WATCH);
            call.arg(id.as_bytes());
            let bytes: Option<Bytes> = self.run(&call).await?;
            let record = bytes.map(|bytes| record::decode(id, bytes)).transpose()?;
            if record.as_ref().is_none_or(|record| record.state.is_final()) {
                return Ok(record);
            }
            end.over().await;
        }
    }
}
