//! Dead letters: a sorted set of ids by time of death, and a hash of the letters.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{BATCH, RedisStore, corrupt, cursor::Cursor, error::failure, millis, record, scripts};
use crate::{
    backend::{StoredItem, redis::packed},
    store::{Budget, DeadFilter, DeadLetter, DeadStore, Page, Requeued, StoreError},
};
use clawpool_core::task::{DeadReason, Failure, Message, TaskId, Timestamp};

/// A dead letter as Redis has it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(with = "serde_bytes")]
    entry: Vec<u8>,
    #[serde(with = "serde_bytes")]
    message: Vec<u8>,
    kind: String,
    tenant: Option<String>,
    reason: DeadReason,
    failure: Failure,
    crashes: u32,
    died_at: Timestamp,
}

pub(super) fn encode(letter: &DeadLetter) -> Result<Vec<u8>, StoreError> {
    let stored = Stored {
        entry: packed::entry(letter.message.id, letter.message.generation).to_vec(),
        message: packed::pack(&letter.message),
        kind: letter.kind.clone(),
        tenant: letter.tenant.clone(),
        reason: letter.reason,
        failure: letter.failure.clone(),
        crashes: letter.crashes,
        died_at: letter.died_at,
    };
    rmp_serde::to_vec_named(&stored).map_err(corrupt)
}

pub(super) fn decode(bytes: &[u8]) -> Result<DeadLetter, StoreError> {
    let stored: Stored = rmp_serde::from_slice(bytes).map_err(corrupt)?;
    let message = packed::unpack(&stored.entry, &Bytes::from(stored.message));
    Ok(DeadLetter {
        message: message.ok_or_else(|| corrupt("a dead letter has no message"))?,
        kind: stored.kind,
        tenant: stored.tenant,
        reason: stored.reason,
        failure: stored.failure,
        crashes: stored.crashes,
        died_at: stored.died_at,
    })
}

#[async_trait]
impl DeadStore for RedisStore {
    async fn add_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        for chunk in letters.chunks(BATCH) {
            let mut call = self.call(&scripts::ADD_DEAD_LETTERS);
            call.arg(millis(self.results.dead));
            for letter in chunk {
                let message = &letter.message;
                // Of a message that cannot be decoded, nothing more is known.
                let task = message.task().ok();
                let attempt = task.as_ref().map_or(0, |task| task.attempt);
                let token = task.as_ref().and_then(|task| task.enqueued_by.as_deref());
                call.arg(message.id.as_bytes()).arg(message.generation).arg(&letter.kind);
                call.arg(message.priority().index()).arg(&*record::pack_whose(
                    letter.tenant.as_deref(),
                    token,
                    message.queue,
                ));
                call.arg(message.enqueued_at.as_millis()).arg(attempt).arg(encode(letter)?);
                call.arg(letter.died_at.as_millis()).arg(record::pack_failure(&letter.failure)?);
            }
            self.run::<()>(&call).await?;
        }
        Ok(())
    }

    async fn dead(
        &self,
        filter: &DeadFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        // Nothing that died at `until` or later is wanted, so the walk, latest first, begins there.
        let until = filter.until.map(|until| Cursor { number: until.as_millis(), member: Vec::new() });
        let at = cursor.map(Cursor::parse).transpose()?.or(until);
        let oldest = Timestamp::now().as_millis().saturating_sub(millis(self.results.dead));
        let oldest = oldest.max(filter.since.map_or(0, Timestamp::as_millis));
        self.list_dead(filter, at, oldest, limit.max(1)).await
    }

    async fn dead_letter(&self, id: TaskId) -> Result<Option<DeadLetter>, StoreError> {
        let key = format!("{}:dm", self.link.base());
        let found = self.link.send(redis::cmd("HGET").arg(key).arg(id.as_bytes())).await;
        let found: Option<Vec<u8>> = found.map_err(|error| failure(&error))?;
        match found {
            Some(bytes) => self.read_letter(id.as_bytes(), &bytes).await,
            None => Ok(None),
        }
    }

    async fn requeue(&self, messages: &[Message]) -> Result<Requeued, StoreError> {
        let mut all = Requeued::default();
        for chunk in messages.chunks(BATCH) {
            let mut call = self.call(&scripts::REQUEUE);
            for message in chunk {
                let task = message.task().map_err(corrupt)?;
                call.arg(message.id.as_bytes())
                    .arg(message.generation)
                    .arg(&task.kind)
                    .arg(message.priority().index());
                let token = task.enqueued_by.as_deref();
                call.arg(&*record::pack_whose(task.tenant.as_deref(), token, message.queue));
                call.arg(task.scoped_key().unwrap_or_default());
                call.arg(message.enqueued_at.as_millis()).arg(message.expires_at.as_millis());
                call.arg(task.attempt).arg(packed::pack(message));
            }
            let (taken, kept): (u64, u64) = self.run(&call).await?;
            all.taken += taken;
            all.kept += kept;
        }
        Ok(all)
    }

    async fn discard(&self, ids: &[TaskId]) -> Result<u64, StoreError> {
        let mut call = self.call(&scripts::DISCARD);
        for id in ids {
            call.arg(id.as_bytes());
        }
        self.run(&call).await
    }
}

impl RedisStore {
    /// Reads one letter more than are wanted at first, and twice as many each time.
    async fn list_dead(
        &self,
        filter: &DeadFilter,
        mut at: Option<Cursor>,
        oldest: u64,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let mut budget = Budget::new();
        let mut items = Vec::new();
        let mut batch = (limit + 1).min(BATCH);
        // Where the letter of the cursor is gone, the walk begins before it.
        let mut walk = at.clone();
        loop {
            let rows = self.page("dead", walk.as_ref(), batch).await?;
            let is_last = rows.len() < batch;
            batch = (batch * 2).min(BATCH);
            for (place, bytes) in rows {
                if place.number < oldest {
                    return Ok(budget.page(items, None));
                }
                walk = Some(place.clone());
                if at.as_ref().is_some_and(|at| place >= *at) {
                    continue;
                }
                let letter = self.read_letter(&place.member, &bytes).await?;
                let found = letter.filter(|letter| filter.matches(letter));
                if items.len() == limit && found.is_some() || budget.is_spent() {
                    return Ok(budget.page(items, at.as_ref().map(Cursor::to_string)));
                }
                budget.spend(bytes.len());
                items.extend(found);
                at = Some(place);
            }
            if is_last {
                return Ok(budget.page(items, None));
            }
        }
    }

    /// None where it cannot be read, or is another task's: that is set aside.
    async fn read_letter(&self, member: &[u8], bytes: &[u8]) -> Result<Option<DeadLetter>, StoreError> {
        let letter = decode(bytes).ok().filter(|letter| letter.message.id.as_bytes()[..] == *member);
        if letter.is_none() {
            self.set_aside(StoredItem::DeadLetter, member, bytes).await?;
        }
        Ok(letter)
    }

    /// Rows of the schedule set or, latest first, of the dead letters, from a place on. Where that place is
    /// gone, some rows may lie before it.
    pub(super) async fn page(
        &self,
        set: &str,
        at: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<(Cursor, Bytes)>, StoreError> {
        let mut call = self.call(&scripts::PAGE);
        call.arg(set).arg(limit);
        match at {
            Some(at) => call.arg(at.number).arg(&at.member[..]),
            None => call.arg("").arg(""),
        };
        let rows: Vec<(Vec<u8>, u64, Bytes)> = self.run(&call).await?;
        Ok(rows.into_iter().map(|(member, number, value)| (Cursor { number, member }, value)).collect())
    }
}
