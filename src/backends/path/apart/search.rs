//! A search inside of tasks: in what their records, messages and dead letters tell.
//!
//! Guarantees: a page looks at a bounded number of records and of bytes, says at how many, and where to go
//! on; no more than some letters or messages are in memory at once. Never does: take a task whose inside
//! cannot be read for one that matches.

use futures::{StreamExt, TryStreamExt, stream};

use super::find::missing;
use crate::{
    broker::Broker,
    path::PathError,
    store::{LOOKED_AT, LOOKED_AT_BYTES, Looked, Record, RecordFilter, Seen, Store},
};
use clawpool_core::task::{Inside, Message, State, Story};

/// Tasks whose insides are read together.
const TOGETHER: usize = 100;
/// Records that are read together.
const BATCH: usize = 1_000;
/// Questions to the store that are on their way at once.
const QUESTIONS: usize = 32;

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    pub found: Looked,
    /// Tasks that may match: their messages are where they cannot be read, or their stories are not known.
    pub hidden: usize,
}

/// Lists the tasks that a filter and what is looked for inside of them mean, as [`TaskStore::look`] does.
///
/// [`TaskStore::look`]: crate::store::TaskStore::look
pub async fn search(
    store: &dyn Store,
    broker: &dyn Broker,
    filter: &RecordFilter,
    inside: &Inside,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Searched, PathError> {
    if inside.is_empty() {
        return Ok(Searched { found: store.look(filter, cursor, limit).await?, hidden: 0 });
    }
    let mut search = Search {
        store,
        broker,
        inside,
        limit: limit.max(1),
        bytes: LOOKED_AT_BYTES,
        searched: Searched::default(),
    };
    let mut cursor = cursor.map(str::to_owned);
    let mut batch = search.limit;
    loop {
        let left = LOOKED_AT - search.searched.found.looked_at;
        let Looked { items, next, looked_at } =
            store.look(filter, cursor.as_deref(), batch.min(BATCH).min(left)).await?;
        let is_over = search.go_through(items, next.is_none()).await?;
        let found = &mut search.searched.found;
        if is_over {
            return Ok(search.searched);
        }
        found.looked_at = found.looked_at.saturating_add(looked_at);
        found.next.clone_from(&next);
        if next.is_none() || found.looked_at >= LOOKED_AT {
            return Ok(search.searched);
        }
        cursor = next;
        batch *= 2;
    }
}

struct Search<'a> {
    store: &'a dyn Store,
    broker: &'a dyn Broker,
    inside: &'a Inside,
    limit: usize,
    /// That may still be looked at.
    bytes: usize,
    searched: Searched,
}

impl Search<'_> {
    /// Whether the page is full, or has looked far enough.
    async fn go_through(&mut self, items: Vec<Seen>, are_last: bool) -> Result<bool, PathError> {
        let count = items.len();
        let mut looked_at = 0;
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let some: Vec<Seen> = items.by_ref().take(TOGETHER).collect();
            let stories = self.stories(&some).await?;
            for (seen, story) in some.into_iter().zip(stories) {
                looked_at += 1;
                let after = seen.after.clone();
                self.judge(seen, story.as_ref());
                if self.searched.found.items.len() == self.limit || self.bytes == 0 {
                    let found = &mut self.searched.found;
                    found.looked_at += looked_at;
                    found.next = Some(after).filter(|_| looked_at < count || !are_last);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn judge(&mut self, seen: Seen, story: Option<&Story>) {
        let Some(story) = story else {
            self.searched.hidden += 1;
            return;
        };
        self.bytes = self.bytes.saturating_sub(story.payload_bytes());
        if self.inside.matches_story(story) {
            self.searched.found.items.push(seen);
        }
    }

    /// What is known of each.
    async fn stories(&self, seen: &[Seen]) -> Result<Vec<Option<Story>>, PathError> {
        let on_queues = |record: &Record| {
            matches!(record.state, State::Queued | State::Running) && self.broker.can_peek(record.queue)
        };
        let wanted: Vec<_> = seen
            .iter()
            .filter(|seen| on_queues(&seen.record))
            .map(|seen| (missing(&seen.record), seen.record.enqueued_at))
            .collect();
        let mut peeked = self.broker.peek_all(&wanted).await?.into_iter();
        let known = seen.iter().map(|Seen { record, .. }| {
            let peeked = if on_queues(record) { peeked.next().flatten() } else { None };
            self.story(record, peeked)
        });
        stream::iter(known.collect::<Vec<_>>()).buffered(QUESTIONS).try_collect().await
    }

    async fn story(&self, record: &Record, peeked: Option<Message>) -> Result<Option<Story>, PathError> {
        let message = match record.state {
            _ if peeked.is_some() => peeked,
            State::Dead => self.store.dead_letter(record.id).await?.map(|letter| letter.message),
            // A task of a queue may be on its way through the schedule set.
            State::Scheduled | State::Queued => self.store.entry(record.id, record.generation).await?,
            _ => None,
        };
        let story = message.and_then(|message| message.task().ok()).map(Story::of);
        Ok(story.or_else(|| record.story()))
    }
}
