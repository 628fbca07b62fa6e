//! The journal: a stream for each topic.

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{BATCH, RedisStore, corrupt, error::failure, scripts, unreadable::is_of_another_type};
use crate::{
    backend::{StoredItem, redis::script::Call},
    store::{Entry, Fence, Followed, JournalStore, Page, Place, StoreError, Topic, journal::Extent},
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
                    self.set_entry_aside(topic, &place).await?;
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

    async fn follow(
        &self,
        topics: &[(Topic, Option<Place>)],
        limit: usize,
    ) -> Result<Vec<Followed>, StoreError> {
        let limit = limit.clamp(1, BATCH);
        let mut call = self.call(&scripts::FOLLOW);
        call.arg(limit);
        for (topic, after) in topics {
            let after = after.map(|Place(time, sequence)| format!("({time}-{sequence}"));
            call.arg(topic.name()).arg(after.unwrap_or_default());
        }
        let found: Vec<Found> = self.run(&call).await?;
        let mut answer = Vec::new();
        for ((topic, after), found) in topics.iter().zip(found) {
            answer.push(self.followed(*topic, *after, limit, found).await?);
        }
        Ok(answer)
    }
}

/// Of a topic its length, its first and its last place, and what comes after a place.
type Found = (usize, String, String, Vec<Row>);

/// A place in the stream, and in turn names and values.
type Row = (String, Vec<Bytes>);

fn read(fields: &[Bytes]) -> Option<Entry> {
    let [name, value] = fields else { return None };
    rmp_serde::from_slice(value).ok().filter(|_| **name == *b"e")
}

impl RedisStore {
    async fn followed(
        &self,
        topic: Topic,
        after: Option<Place>,
        limit: usize,
        (length, oldest, newest, rows): Found,
    ) -> Result<Followed, StoreError> {
        let end = |place: &str| if place.is_empty() { Ok(Place::default()) } else { place.parse() };
        let extent = Extent { oldest: end(&oldest)?, newest: end(&newest)?, length };
        let Some(after) = after.filter(|after| *after <= extent.newest) else {
            let next = extent.newest;
            return Ok(Followed { topic, entries: Vec::new(), lost: after.is_some(), more: false, next });
        };
        let more = rows.len() == limit;
        let mut next = after;
        let mut entries = Vec::new();
        for (place, fields) in rows {
            next = place.parse()?;
            match read(&fields) {
                Some(entry) => entries.push((next, entry)),
                None => self.set_entry_aside(topic, &place).await?,
            }
        }
        Ok(Followed { topic, entries, lost: extent.lacks(topic, after), more, next })
    }

    async fn set_entry_aside(&self, topic: Topic, place: &str) -> Result<(), StoreError> {
        self.set_aside(StoredItem::Journal, format!("{}:{place}", topic.name()).as_bytes(), &[]).await
    }

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
