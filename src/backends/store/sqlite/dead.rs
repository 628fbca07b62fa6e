use async_trait::async_trait;
use rusqlite::params;

use super::{Rules, admission, entries, letters, life, records, settle, tally::Tally};
use crate::{
    backend::{StoredItem, sqlite::Write},
    store::{DeadFilter, DeadLetter, DeadStore, Page, Requeued, StoreError},
};
use clawpool_core::task::{Message, State, Task, TaskId};

#[async_trait]
impl DeadStore for super::SqliteStore {
    async fn add_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let rules = self.rules;
        let letters = letters.to_vec();
        Ok(self.database.write(move |write| add(write, &rules, &letters)).await?)
    }

    async fn dead(
        &self,
        filter: &DeadFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let filter = filter.clone();
        let before = cursor.map(records::cursor).transpose()?;
        self.read_around(StoredItem::DeadLetter, move |sql| letters::list(sql, &filter, before, limit)).await
    }

    async fn dead_letter(&self, id: TaskId) -> Result<Option<DeadLetter>, StoreError> {
        self.read_around(StoredItem::DeadLetter, move |sql| letters::one(sql, id)).await
    }

    async fn requeue(&self, messages: &[Message]) -> Result<Requeued, StoreError> {
        let messages = messages.to_vec();
        Ok(self.database.write(move |write| requeue(write, &messages)).await?)
    }

    async fn discard(&self, ids: &[TaskId]) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        let discard = move |write: &mut Write<'_>| {
            ids.iter()
                .try_fold(0, |count, id| Ok(count + u64::from(letters::remove(write.sql, *id)?.is_some())))
        };
        Ok(self.database.write(discard).await?)
    }
}

pub(crate) fn add(write: &mut Write<'_>, rules: &Rules, letters: &[DeadLetter]) -> rusqlite::Result<()> {
    let mut tally = Tally::default();
    for letter in letters {
        let message = &letter.message;
        // A message without a record gets one, for the letter to be the end of.
        if born(write, message, &letter.kind, letter.tenant.as_deref(), message.task().ok().as_ref())? {
            tally.of(message.queue).enqueued += 1;
        }
        let waits = life::known(write, message.id)?
            .filter(|known| known.state < State::Running && known.generation <= message.generation);
        if let Some(known) = waits {
            settle::add_dead_letter(write, rules, &known, letter)?;
            tally.of(message.queue).dead += 1;
        }
    }
    tally.write(write)
}

/// Makes a record, queued, where there is none. An older one comes to the message's generation when it waits:
/// the store was set back and the broker was not.
fn born(
    write: &Write<'_>,
    message: &Message,
    kind: &str,
    tenant: Option<&str>,
    task: Option<&Task>,
) -> rusqlite::Result<bool> {
    let insert =
        "INSERT INTO tasks (id, kind, priority, queue, tenant, state, generation, attempt, enqueued_at,
         expires_at, enqueued_by)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, 0, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING";
    let Message { id, generation, queue, enqueued_at, expires_at, .. } = message;
    let token = task.and_then(|task| task.enqueued_by.as_deref());
    let priority = queue.priority();
    let parameters =
        params![id, kind, priority, queue.own(), tenant, generation, enqueued_at, expires_at, token];
    if write.sql.prepare_cached(insert)?.execute(parameters)? == 1 {
        return Ok(true);
    }
    let update = "UPDATE tasks SET generation = ?2 WHERE id = ?1 AND generation < ?2 AND state < 2";
    write.sql.prepare_cached(update)?.execute(params![id, generation])?;
    Ok(false)
}

fn requeue(write: &mut Write<'_>, messages: &[Message]) -> rusqlite::Result<Requeued> {
    let mut all = Requeued::default();
    for message in messages {
        let task = message.task().ok();
        let key = task.as_ref().and_then(Task::scoped_key);
        if let Some(key) = &key
            && admission::holder(write, key)?.is_some()
        {
            all.kept += u64::from(letters::is_there(write.sql, message.id)?);
        } else if let Some((kind, tenant)) = letters::remove(write.sql, message.id)? {
            born(write, message, &kind, tenant.as_deref(), task.as_ref())?;
            revive(write, message, task.as_ref(), key.as_deref())?;
            entries::put(write, message, write.now)?;
            all.taken += 1;
        }
    }
    Ok(all)
}

/// Gives a dead task a fresh life, and its unique key, which is free.
fn revive(
    write: &Write<'_>,
    message: &Message,
    task: Option<&Task>,
    key: Option<&str>,
) -> rusqlite::Result<()> {
    let update =
        "UPDATE tasks SET state = 0, generation = ?2, attempt = ?3, unique_key = ?4, expires_at = ?5,
                  crashes = 0, suspicion = 0, again_at = NULL, signalled = 0, finished_at = NULL,
                  forget_at = NULL WHERE id = ?1";
    let attempt = task.map_or(0, |task| task.attempt);
    let parameters = params![message.id, message.generation, attempt, key, message.expires_at];
    write.sql.prepare_cached(update)?.execute(parameters)?;
    if let Some(key) = key {
        let replace = "REPLACE INTO unique_keys (key, id) VALUES (?1, ?2)";
        write.sql.prepare_cached(replace)?.execute(params![key, message.id])?;
    }
    Ok(())
}
