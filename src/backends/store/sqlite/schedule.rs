use std::{ops::ControlFlow, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{entries, leaders, records};
use crate::{
    backend::{
        StoredItem,
        sqlite::{MESSAGE, QUEUE, Sifted, Topic, Write, message, readable, set_aside, sift},
    },
    store::{Due, Fence, Page, ScheduleStore, Scheduled, ScheduledTask, StoreError},
};
use clawpool_core::task::{Message, TaskId, Timestamp};

/// The clock may be set during a sleep until an entry is due; so no sleep is longer than this.
const NAP: Duration = Duration::from_secs(30);

const SOON: Duration = Duration::from_millis(250);

#[async_trait]
impl ScheduleStore for super::SqliteStore {
    async fn schedule(&self, scheduled: &[Scheduled]) -> Result<(), StoreError> {
        let scheduled = scheduled.to_vec();
        let put = move |write: &mut Write<'_>| scheduled.iter().try_for_each(|entry| put(write, entry));
        Ok(self.database.write(put).await?)
    }

    async fn due(&self, fence: Fence, limit: usize) -> Result<Due, StoreError> {
        self.database.write(move |write| leaders::fenced(write, fence, |write| due(write, limit))).await?
    }

    async fn promoted(&self, fence: Fence, keys: &[(TaskId, u32)]) -> Result<(), StoreError> {
        let keys = keys.to_vec();
        self.database
            .write(move |write| leaders::fenced(write, fence, |write| promoted(write, &keys)))
            .await?
    }

    /// Entries that `due` has handed out do not count: the leader has them, and no new one is waited for.
    async fn wait_due(&self, next: Option<Timestamp>) -> Result<(), StoreError> {
        let mut bell = self.database.listen(Topic::Schedule).await?;
        loop {
            bell.mark_unchanged();
            let earliest = self.database.read(earliest).await?;
            let now = Timestamp::now();
            let is_new = earliest.is_some_and(|at| next.is_none_or(|next| at < next));
            if is_new || next.is_some_and(|next| next <= now) {
                return Ok(());
            }
            let nap = next.map_or(NAP, |next| next.since(now).min(NAP));
            // Ringing and waking by the clock both mean: look again.
            let _ = tokio::time::timeout(nap, bell.changed()).await;
        }
    }

    async fn run_now(&self, id: TaskId) -> Result<bool, StoreError> {
        let run = move |write: &mut Write<'_>| {
            let update = "UPDATE schedule SET at = min(at, ?2) WHERE id = ?1";
            let count = write.sql.prepare_cached(update)?.execute(params![id, write.now])?;
            write.rings.ring(Topic::Schedule);
            Ok(count > 0)
        };
        Ok(self.database.write(run).await?)
    }

    async fn entry(&self, id: TaskId, generation: u32) -> Result<Option<Message>, StoreError> {
        let query = format!("SELECT {MESSAGE} FROM schedule WHERE id = ?1 AND generation = ?2");
        let read = move |sql: &Connection| {
            sql.prepare_cached(&query)?.query_row(params![id, generation], message).optional()
        };
        Ok(self.database.read(read).await?)
    }

    async fn scheduled(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ScheduledTask>, StoreError> {
        let after = cursor.map(entry_cursor).transpose()?;
        self.read_around(StoredItem::Entry, move |sql| list(sql, after, limit)).await
    }
}

pub(crate) fn put(write: &mut Write<'_>, entry: &Scheduled) -> rusqlite::Result<()> {
    let at = soon(write, entry)?;
    entries::put(write, &entry.message, at)
}

/// What waits for a worker's death comes soon when it has died meanwhile.
fn soon(write: &Write<'_>, entry: &Scheduled) -> rusqlite::Result<Timestamp> {
    let soon = write.now + SOON;
    if entry.at <= soon {
        return Ok(entry.at);
    }
    let query = "SELECT max(coalesce(iif(again_at > started_at, again_at, NULL), 0), ?3) FROM tasks
                 WHERE id = ?1 AND generation = ?2 AND state = 2
                 AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = owner AND lease_until > ?3)";
    let parameters = params![entry.message.id, entry.message.generation, write.now];
    let again: Option<Timestamp> =
        write.sql.prepare_cached(query)?.query_row(parameters, |row| row.get(0)).optional()?;
    Ok(again.map_or(entry.at, |again| entry.at.min(again + SOON)))
}

pub(crate) fn due(write: &Write<'_>, limit: usize) -> rusqlite::Result<Due> {
    let mut messages = Vec::new();
    let mut next = None;
    let query = format!("SELECT {MESSAGE}, at, rowid AS place FROM schedule ORDER BY at LIMIT ?1");
    let mut query = write.sql.prepare_cached(&query)?;
    let mut rows = query.query([limit.saturating_add(1)])?;
    let mut unreadable = Vec::new();
    while let Some(row) = rows.next()? {
        match readable(row, "place", |row| Ok((row.get::<_, Timestamp>("at")?, message(row)?)))? {
            ControlFlow::Break(place) => unreadable.push(place),
            ControlFlow::Continue((at, _)) if at > write.now || messages.len() == limit => {
                next = Some(at);
                break;
            }
            ControlFlow::Continue((_, message)) => messages.push(message),
        }
    }
    drop(rows);
    set_aside(write, StoredItem::Entry, &unreadable)?;
    if next.is_none() && !unreadable.is_empty() {
        next = earliest(write.sql)?;
    }
    take(write, &messages)?;
    Ok(Due { messages, next })
}

fn take(write: &Write<'_>, messages: &[Message]) -> rusqlite::Result<()> {
    let update = "UPDATE schedule SET taken = 1 WHERE id = ?1 AND generation = ?2 AND taken = 0";
    let mut update = write.sql.prepare_cached(update)?;
    messages.iter().try_for_each(|message| update.execute(params![message.id, message.generation]).map(drop))
}

pub(crate) fn promoted(write: &Write<'_>, keys: &[(TaskId, u32)]) -> rusqlite::Result<()> {
    let delete = "DELETE FROM schedule WHERE id = ?1 AND generation = ?2 AND taken = 1";
    let queue = "UPDATE tasks SET state = 1 WHERE id = ?1 AND generation = ?2 AND state = 0";
    let mut delete = write.sql.prepare_cached(delete)?;
    let mut queue = write.sql.prepare_cached(queue)?;
    for key in keys {
        if delete.execute(params![key.0, key.1])? == 1 {
            queue.execute(params![key.0, key.1])?;
        }
    }
    Ok(())
}

fn earliest(sql: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let query = "SELECT at FROM schedule WHERE taken = 0 ORDER BY at LIMIT 1";
    sql.prepare_cached(query)?.query_row((), |row| row.get(0)).optional()
}

type EntryCursor = (Timestamp, TaskId, u32);

fn list(
    sql: &Connection,
    after: Option<EntryCursor>,
    limit: usize,
) -> rusqlite::Result<Sifted<Page<ScheduledTask>>> {
    let query = format!(
        "SELECT id, generation, {QUEUE}, at, priority, rowid AS place FROM schedule
         WHERE ?1 IS NULL OR (at, id, generation) > (?1, ?2, ?3) ORDER BY at, id, generation LIMIT ?4"
    );
    let (at, id, generation) = after.map_or((None, None, None), |(at, id, n)| (Some(at), Some(id), Some(n)));
    let mut query = sql.prepare_cached(&query)?;
    let parameters = params![at, id, generation, limit.saturating_add(1)];
    let rows = query.query_map(parameters, |row| readable(row, "place", scheduled_task))?;
    let cursor = |last: &ScheduledTask| format!("{}:{}:{}", last.generation, last.at.as_millis(), last.id);
    Ok(sift(rows)?.map_continue(|items| records::page(items, limit, cursor)))
}

fn scheduled_task(row: &Row<'_>) -> rusqlite::Result<ScheduledTask> {
    Ok(ScheduledTask {
        id: row.get(0)?,
        generation: row.get(1)?,
        queue: row.get(2)?,
        at: row.get(3)?,
        priority: row.get(4)?,
    })
}

fn entry_cursor(text: &str) -> Result<EntryCursor, StoreError> {
    let wrong = || StoreError::BadCursor(text.to_owned());
    let (generation, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (at, id) = records::cursor(rest).map_err(|_| wrong())?;
    Ok((Timestamp::from_millis(at), id, generation.parse().map_err(|_| wrong())?))
}
