//! What is not as it should be: records that cannot be read, and the walk that looks at every unfinished
//! task.

use bytes::Bytes;
use redis::cmd;

use super::{RedisStore, corrupt, error::failure, record, scripts, unreadable::is_of_another_type};
use crate::backend::redis::queue_name::named;
use crate::{
    backend::{StoredItem, redis::packed},
    store::{Page, Record, StoreError, UnfinishedTask},
};
use clawpool_core::task::{ProcessId, State, TaskId, Timestamp};

type Row = (Bytes, String, String, u32, u32, u64, Bytes, u64, bool);

impl RedisStore {
    /// A record, or none where its value is no record: that is set aside.
    pub(super) async fn read_record(&self, id: TaskId) -> Result<Option<Record>, StoreError> {
        let bytes: Result<Option<Bytes>, _> =
            self.link.send(cmd("GET").arg(record::key(self.link.base(), id))).await;
        match bytes {
            Ok(Some(bytes)) => self.readable(id, bytes).await,
            Ok(None) => Ok(None),
            Err(error) if is_of_another_type(&error) => {
                self.set_aside(StoredItem::Record, id.as_bytes(), &[]).await.map(|()| None)
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// The record of these bytes. What cannot be read is set aside, so that it is met once.
    pub async fn readable(&self, id: TaskId, bytes: Bytes) -> Result<Option<Record>, StoreError> {
        match record::decode(id, bytes.clone()) {
            Ok(record) => Ok(Some(record)),
            Err(_) => self.set_aside(StoredItem::Record, id.as_bytes(), &bytes).await.map(|()| None),
        }
    }

    /// A task without an entry in the schedule set is due at no time.
    pub(super) async fn check_due(&self, record: &mut Record) -> Result<(), StoreError> {
        if record.state == State::Scheduled {
            let mut length = cmd("HSTRLEN");
            length
                .arg(format!("{}:sm", self.link.base()))
                .arg(&packed::entry(record.id, record.generation)[..]);
            let length: usize = self.link.send(&length).await.map_err(|error| failure(&error))?;
            record.due_at = record.due_at.filter(|_| length > 0);
        }
        Ok(())
    }

    /// One step of the walk over all keys.
    pub(super) async fn walk_unfinished(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<UnfinishedTask>, StoreError> {
        let at: u64 =
            cursor.map_or(Ok(0), |text| text.parse().map_err(|_| StoreError::BadCursor(text.to_owned())))?;
        let prefix = record::key(self.link.base(), TaskId::from_bytes([0; 16]));
        let mut call = self.call(&scripts::UNFINISHED);
        call.arg(at).arg(limit.max(1)).arg(record::pattern(&prefix[..prefix.len() - 16]));
        let (next, rows): (u64, Vec<Row>) = self.run(&call).await?;
        let items =
            rows.into_iter().map(|row| unfinished_task(row).ok_or_else(|| corrupt("a row of no task")));
        Ok(Page::new(items.collect::<Result<_, _>>()?, (next > 0).then(|| next.to_string())))
    }
}

fn unfinished_task(
    (id, state, queue, generation, attempt, enqueued, worker, token, scheduled): Row,
) -> Option<UnfinishedTask> {
    let worker: [u8; 16] = worker[..].try_into().ok()?;
    Some(UnfinishedTask {
        id: TaskId::from_bytes(id[..].try_into().ok()?),
        state: record::state(&state).ok()?,
        queue: named(&queue)?,
        generation,
        attempt,
        enqueued_at: Timestamp::from_millis(enqueued),
        worker: (worker != [0; 16]).then(|| ProcessId::from_bytes(worker)),
        token,
        scheduled,
    })
}
