//! What is not as it should be: records that cannot be read, and the walk that looks at every unfinished task.

use bytes::Bytes;
use redis::{ErrorKind, cmd};

use super::{RedisStore, corrupt, link, record, scripts};
use crate::{
    store::{Outline, Page, Record, StoreError},
    task::{Priority, TaskId, Timestamp, WorkerId},
};

/// Ids told of at a time.
const NAMES: usize = 100;

type Row = (Bytes, String, u64, u32, u32, u64, Bytes, bool);

impl RedisStore {
    /// A record, or none where its value is no record: that is set aside.
    pub(super) async fn read_record(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        let bytes: Result<Option<Bytes>, _> = self.link.send(cmd("GET").arg(record::key(self.link.base(), id))).await;
        match bytes {
            Ok(Some(bytes)) => self.readable(id, bytes).await,
            Ok(None) => Ok(None),
            Err(error) if is_of_another_type(&error) => self.set_aside(id, &[]).await.map(|()| None),
            Err(error) => Err(link::failure(&error)),
        }
    }

    /// The record of these bytes. What cannot be read is set aside, so that it stands in nobody's way.
    pub(super) async fn readable(&self, id: TaskId, bytes: Bytes) -> Result<Option<Record>, StoreError> {
        match record::decode(id, bytes.clone()) {
            Ok(record) => Ok(Some(record)),
            Err(error) => {
                tracing::error!(code = error.code(), %error, "it is set aside");
                self.set_aside(id, &bytes).await.map(|()| None)
            }
        }
    }

    async fn set_aside(&self, id: TaskId, bytes: &[u8]) -> Result<(), StoreError> {
        let mut call = self.call(&scripts::SET_ASIDE);
        call.arg(id.as_bytes()).arg(bytes);
        self.run(&call).await
    }

    pub(super) async fn set_aside_untold(&self, told: &[TaskId]) -> Result<Vec<TaskId>, StoreError> {
        let mut call = self.call(&scripts::UNREADABLE);
        call.arg(NAMES);
        for id in told {
            call.arg(id.as_bytes());
        }
        let ids: Vec<Bytes> = self.run(&call).await?;
        Ok(ids.iter().filter_map(|id| Some(TaskId::from_bytes(id[..].try_into().ok()?))).collect())
    }

    /// One step of the walk over all keys.
    pub(super) async fn survey_step(&self, cursor: Option<&str>, limit: usize) -> Result<Page<Outline>, StoreError> {
        let at: u64 = cursor.map_or(Ok(0), |text| text.parse().map_err(|_| StoreError::BadCursor(text.to_owned())))?;
        let prefix = record::key(self.link.base(), TaskId::from_bytes([0; 16]));
        let mut call = self.call(&scripts::SURVEY);
        call.arg(at).arg(limit.max(1)).arg(record::pattern(&prefix[..prefix.len() - 16]));
        let (next, rows): (u64, Vec<Row>) = self.run(&call).await?;
        let items = rows.into_iter().map(|row| outline(row).ok_or_else(|| corrupt("a row of no task")));
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: (next > 0).then(|| next.to_string()) })
    }
}

fn outline((id, state, priority, generation, attempt, enqueued, worker, scheduled): Row) -> Option<Outline> {
    let worker: [u8; 16] = worker[..].try_into().ok()?;
    Some(Outline {
        id: TaskId::from_bytes(id[..].try_into().ok()?),
        state: record::state(&state).ok()?,
        priority: Priority::from_index(priority)?,
        generation,
        attempt,
        enqueued_at: Timestamp::from_millis(enqueued),
        worker: (worker != [0; 16]).then(|| WorkerId::from_bytes(worker)),
        scheduled,
    })
}

fn is_of_another_type(error: &redis::RedisError) -> bool {
    error.code() == Some("WRONGTYPE") || error.kind() == ErrorKind::UnexpectedReturnType
}
