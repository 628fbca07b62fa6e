use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::AutoscalerStore;
use clawpool_backends::store::{Entry, Fence, StoreError, Topic};
use clawpool_core::task::Timestamp;
use clawpool_engine::{
    alert::{Alert, Event},
    client::{Change, PoolStatus},
};

/// What a pool's controller reads and writes in the store, under its fence.
pub(super) struct PersistedState<'a, S: ?Sized> {
    pub(super) store: &'a S,
    pub(super) pool: &'a str,
    /// None for a dry run, which does not lead.
    pub(super) fence: Option<Fence>,
    /// The status is forgotten after this, unless it is written again.
    pub(super) keep: Duration,
}

/// A status is kept for so long at least. An older one says nothing about now.
pub(super) const MIN_KEPT: Duration = Duration::from_secs(60);

impl<S: AutoscalerStore + ?Sized> PersistedState<'_, S> {
    fn status_name(&self) -> String {
        let folder = if self.fence.is_some() { PoolStatus::NOTES } else { PoolStatus::DRY_NOTES };
        format!("{folder}{}", self.pool)
    }

    fn samples_name(&self) -> String {
        format!("autoscale/samples/{}", self.pool)
    }

    /// The former leader's status, if it is not too old.
    pub(super) async fn last_status(&self) -> Result<Option<PoolStatus>, StoreError> {
        let note = self.store.note(&self.status_name()).await?;
        Ok(note.and_then(|note| serde_json::from_slice(&note).ok()))
    }

    pub(super) async fn write_status(&self, status: &PoolStatus) -> Result<(), StoreError> {
        self.store.put_note(self.fence, &self.status_name(), json(status)?, Some(self.keep)).await
    }

    pub(super) async fn append_change(&self, change: &Change, alert: Option<&str>) -> Result<(), StoreError> {
        let body = serde_json::to_value(change).map_err(|error| unwritable(&error))?;
        let scaling =
            Entry { topic: Topic::Scaling, at: Timestamp::now(), subject: self.pool.to_owned(), body };
        let alert = alert.map(|text| Alert::new(Event::Emergency, text).entry(self.pool));
        let entries: Vec<Entry> = [scaling].into_iter().chain(alert).collect();
        self.store.append(self.fence, &entries).await
    }

    pub(super) async fn read_samples(&self) -> Result<Option<Bytes>, StoreError> {
        self.store.note(&self.samples_name()).await
    }

    /// Only a leader's count; a dry run beside it would write them twice.
    pub(super) async fn write_samples(&self, samples: Bytes) -> Result<(), StoreError> {
        match self.fence {
            Some(_) => self.store.put_note(self.fence, &self.samples_name(), samples, None).await,
            None => Ok(()),
        }
    }
}

fn json(value: &impl Serialize) -> Result<Bytes, StoreError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { store: "note", reason: error.to_string() }
}
