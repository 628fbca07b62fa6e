//! The schedule set: a sorted set of entries by due time, and a hash of their messages.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;
use tokio::time::timeout;

use super::{BATCH, MARGIN, RedisStore, corrupt, cursor::Cursor, error::failure, millis, scripts};
use crate::backend::redis::queue_name::queue_after_priority;
use crate::{
    backend::{
        StoredItem,
        redis::{packed, script::Call},
    },
    store::{Due, Fence, Page, ScheduleStore, Scheduled, ScheduledTask, StoreError},
};
use clawpool_core::task::{Message, TaskId, Timestamp};

/// No wait for due entries is longer: news may be lost without a trace, and servers' clocks may be set.
const CEILING: Duration = Duration::from_secs(5);

#[async_trait]
impl ScheduleStore for RedisStore {
    async fn schedule(&self, entries: &[Scheduled]) -> Result<(), StoreError> {
        for chunk in entries.chunks(BATCH) {
            let mut call = self.call(&scripts::SCHEDULE);
            for entry in chunk {
                let message = &entry.message;
                call.arg(&packed::entry(message.id, message.generation)[..]);
                call.arg(entry.at.as_millis()).arg(packed::pack(message));
            }
            self.run::<()>(&call).await?;
        }
        Ok(())
    }

    async fn due(&self, fence: Fence, limit: usize) -> Result<Due, StoreError> {
        let mut call = self.call(&scripts::DUE);
        call.arg(fence.role.name()).arg(fence.number).arg(limit.clamp(1, BATCH));
        let (entries, values, next): (Vec<Bytes>, Vec<Bytes>, Option<u64>) =
            self.run_fenced(fence, &call).await?;
        let messages = entries.iter().zip(&values).map(|(entry, value)| {
            packed::unpack(entry, value).ok_or_else(|| corrupt("a script took for a message what is none"))
        });
        Ok(Due { messages: messages.collect::<Result<_, _>>()?, next: next.map(Timestamp::from_millis) })
    }

    async fn promoted(&self, fence: Fence, entries: &[(TaskId, u32)]) -> Result<(), StoreError> {
        for chunk in entries.chunks(BATCH) {
            let mut call = self.call(&scripts::PROMOTED);
            call.arg(fence.role.name()).arg(fence.number).arg(millis(MARGIN));
            for (id, generation) in chunk {
                call.arg(&packed::entry(*id, *generation)[..]);
            }
            self.run_fenced::<()>(fence, &call).await?;
        }
        Ok(())
    }

    async fn wait_due(&self, next: Option<Timestamp>) -> Result<(), StoreError> {
        // Listening comes before looking, so that an entry between the two is not missed.
        let mut news = self.events().due();
        let (now, head): (u64, Option<u64>) = self.run(&self.call(&scripts::EARLIEST)).await?;
        let next = next.map(Timestamp::as_millis);
        if head.is_some_and(|head| next.is_none_or(|next| head < next)) {
            return Ok(());
        }
        // By the server's clock, which is the one that decides what is due.
        let patience =
            next.map_or(CEILING, |next| Duration::from_millis(next.saturating_sub(now)).min(CEILING));
        // Time is up, or there is news: both end the wait.
        let _ = timeout(patience, news.changed()).await;
        Ok(())
    }

    async fn run_now(&self, id: TaskId) -> Result<bool, StoreError> {
        if self.hasten(id.as_bytes()).await? {
            return Ok(true);
        }
        match self.find_entry(id).await? {
            Some(entry) => self.hasten(&entry).await,
            None => Ok(false),
        }
    }

    async fn entry(&self, id: TaskId, generation: u32) -> Result<Option<Message>, StoreError> {
        let entry = packed::entry(id, generation);
        let mut get = cmd("HGET");
        get.arg(format!("{}:sm", self.link.base())).arg(&entry[..]);
        let value: Option<Bytes> = self.link.send(&get).await.map_err(|error| failure(&error))?;
        Ok(value.and_then(|value| packed::unpack(&entry, &value)))
    }

    async fn scheduled(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ScheduledTask>, StoreError> {
        let at = cursor.map(Cursor::parse).transpose()?;
        let limit = limit.clamp(1, BATCH);
        let mut rows = self.page("schedule", at.as_ref(), limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(place, _)| place.to_string());
        rows.retain(|(place, _)| at.as_ref().is_none_or(|at| place > at));
        let mut items = Vec::with_capacity(rows.len());
        for (place, value) in &rows {
            match line(place, value) {
                Some(line) => items.push(line),
                None => self.set_aside(StoredItem::Entry, &place.member, &[]).await?,
            }
        }
        Ok(Page::new(items, next))
    }
}

fn line(place: &Cursor, value: &[u8]) -> Option<ScheduledTask> {
    let (id, generation) = packed::parts(&place.member)?;
    let queue = queue_after_priority(value)?;
    Some(ScheduledTask {
        id,
        generation,
        priority: queue.priority(),
        queue,
        at: Timestamp::from_millis(place.number),
    })
}

impl RedisStore {
    async fn hasten(&self, entry: &[u8]) -> Result<bool, StoreError> {
        let mut call = self.call(&scripts::RUN_NOW);
        call.arg(entry);
        self.run(&call).await
    }

    /// An entry of a task that has no record, or a record at another generation: rare, so no index is kept
    /// for it.
    async fn find_entry(&self, id: TaskId) -> Result<Option<Bytes>, StoreError> {
        let key = format!("{}:s", self.link.base());
        let mut position = 0_u64;
        loop {
            let mut scan = cmd("ZSCAN");
            scan.arg(&key).arg(position).arg("COUNT").arg(BATCH);
            let step = self.link.send(&scan).await.map_err(|error| failure(&error))?;
            let (following, rows): (u64, Vec<Bytes>) = step;
            if let Some(entry) =
                rows.into_iter().find(|row| packed::parts(row).is_some_and(|(named, _)| named == id))
            {
                return Ok(Some(entry));
            }
            if following == 0 {
                return Ok(None);
            }
            position = following;
        }
    }

    /// Runs a script that only the leader may run.
    pub(crate) async fn run_fenced<T: redis::FromRedisValue>(
        &self,
        fence: Fence,
        call: &Call,
    ) -> Result<T, StoreError> {
        self.link.run(call).await.map_err(|error| match (error.code(), error.detail()) {
            (Some("FENCED"), Some(current)) => {
                let current = current.split(' ').next().and_then(|number| number.parse().ok());
                StoreError::Fenced { held: fence.number, current: current.unwrap_or(fence.number + 1) }
            }
            _ => failure(&error),
        })
    }
}
