//! The journal: a stream for each topic.

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{BATCH, RedisStore, corrupt, error::failure, scripts, unreadable::is_of_another_type};
use crate::{
    backend::{StoredItem, redis::script::Call},
    store::{Entry, Fence, JournalStore, Page, StoreError, Topic},
};

#[async_trait]
impl JournalStore for RedisStore {
    async fn append(&self, fence: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError> {
        for chunk in entries.chunks(BATCH) {
            let mut call = self.call(&scripts::APPEND);
            fence_args(&mut call, fence);
            for entry in chunk {
                call.arg(entry.topic.name())
                    .arg(entry.topic.kept())
                    .arg(rmp_serde::to_vec_named(entry).map_err(corrupt)?);
            }
            self.run_if_led::<()>(fence, &call).await?;
        }
        Ok(())
    }

    async fn journal(
        &self,
        topic: Topic,
        subject: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Entry>, StoreError> {
        let mut from = cursor.map_or_else(|| Ok("+".to_owned()), before)?;
        let limit = limit.clamp(1, BATCH);
        let mut items = Vec::new();
        let mut last = None;
        loop {
            let rows = self.latest(topic, &from).await?;
            let Some((end, _)) = rows.last() else { break };
            from = format!("({end}");
            for (place, fields) in rows {
                let Some(entry) = read(&fields) else {
                    self.set_aside(StoredItem::Journal, format!("{}:{place}", topic.name()).as_bytes(), &[])
                        .await?;
                    continue;
                };
                if subject.is_some_and(|subject| subject != entry.subject) {
                    continue;
                }
                if items.len() == limit {
                    return Ok(Page::new(items, last));
                }
                items.push(entry);
                last = Some(place);
            }
        }
        Ok(Page::new(items, None))
    }
}

/// A place in the stream, and in turn names and values.
type Row = (String, Vec<Bytes>);

fn read(fields: &[Bytes]) -> Option<Entry> {
    let [name, value] = fields else { return None };
    rmp_serde::from_slice(value).ok().filter(|_| **name == *b"e")
}

impl RedisStore {
    async fn latest(&self, topic: Topic, from: &str) -> Result<Vec<Row>, StoreError> {
        let mut range = cmd("XREVRANGE");
        range
            .arg(format!("{}:j:{}", self.link.base(), topic.name()))
            .arg(from)
            .arg("-")
            .arg("COUNT")
            .arg(100);
        match self.link.send(&range).await {
            // Another program has put something else in its place.
            Err(error) if is_of_another_type(&error) => {
                self.set_aside(StoredItem::Journal, topic.name().as_bytes(), &[]).await.map(|()| Vec::new())
            }
            rows => rows.map_err(|error| failure(&error)),
        }
    }

    /// Runs a script that only the leader may run, when a leader asks.
    pub(super) async fn run_if_led<T: redis::FromRedisValue>(
        &self,
        fence: Option<Fence>,
        call: &Call,
    ) -> Result<T, StoreError> {
        match fence {
            Some(fence) => self.run_fenced(fence, call).await,
            None => self.run(call).await,
        }
    }
}

pub(super) fn fence_args(call: &mut Call, fence: Option<Fence>) -> &mut Call {
    call.arg(fence.map_or("", |fence| fence.role.name())).arg(fence.map_or(0, |fence| fence.number))
}

/// Everything older than the place that a cursor names.
fn before(cursor: &str) -> Result<String, StoreError> {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    match cursor.split_once('-') {
        Some((time, sequence)) if is_number(time) && is_number(sequence) => Ok(format!("({cursor}")),
        _ => Err(StoreError::BadCursor(cursor.to_owned())),
    }
}
