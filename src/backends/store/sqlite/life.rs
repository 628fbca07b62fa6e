//! The one place where a record changes its state, apart from its birth and its claims.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{Rules, entries};
use crate::backend::{
    StoredItem,
    sqlite::{Write, is_unreadable, set_aside, suspicion},
};
use clawpool_core::{
    retry::Suspicion,
    task::{Failure, Payload, State, TaskId, Timestamp},
};

/// What decides over a record's next step.
pub(crate) struct Known {
    pub(crate) state: State,
    pub(crate) generation: u32,
    pub(crate) token: u64,
    pub(crate) ticket: u32,
    pub(crate) suspicion: Suspicion,
    /// A task of a dead worker: when it may start again.
    pub(crate) again_at: Option<Timestamp>,
    /// It was cancelled while it ran.
    pub(crate) signalled: bool,
    pub(crate) owner: Option<clawpool_core::task::ProcessId>,
    pub(crate) unique_key: Option<String>,
    pub(crate) expires_at: Timestamp,
}

/// `None` also where the record cannot be read: it is set aside.
pub(crate) fn known(write: &Write<'_>, id: TaskId) -> rusqlite::Result<Option<Known>> {
    match read(write, id).optional() {
        Err(error) if is_unreadable(&error) => {
            set_aside(write, StoredItem::Record, &[id.as_bytes().to_vec().into()]).map(|()| None)
        }
        known => known,
    }
}

fn read(write: &Write<'_>, id: TaskId) -> rusqlite::Result<Known> {
    let query = "SELECT state, generation, token, crashes, suspicion, signalled, owner, unique_key, \
        expires_at, ticket,
                 iif(again_at > started_at, again_at, NULL) FROM tasks WHERE id = ?1";
    let mut query = write.sql.prepare_cached(query)?;
    query.query_row([id], |row| {
        Ok(Known {
            state: row.get(0)?,
            generation: row.get(1)?,
            token: row.get(2)?,
            suspicion: suspicion(row, 3)?,
            signalled: row.get(5)?,
            owner: row.get(6)?,
            unique_key: row.get(7)?,
            expires_at: row.get(8)?,
            ticket: row.get(9)?,
            again_at: row.get(10)?,
        })
    })
}

/// How a task came to its end.
#[derive(Default)]
pub(super) struct Ending<'a> {
    pub(crate) result: Option<&'a Payload>,
    pub(crate) failure: Option<&'a Failure>,
    /// Of a task that has no dead letter.
    pub(crate) story: &'a [u8],
    /// 1 when its last attempt failed.
    pub(crate) failed: u32,
}

/// A result with the story behind it.
pub(super) fn told(result: &Payload, story: &[u8]) -> Vec<u8> {
    [result.as_message_pack(), story].concat()
}

/// Ends a task: frees its unique key, wakes the waiters for it, and sets when it is forgotten.
pub(super) fn finish(
    write: &mut Write<'_>,
    id: TaskId,
    known: &Known,
    state: State,
    forget_at: Timestamp,
    ending: &Ending<'_>,
) -> rusqlite::Result<()> {
    let update = "UPDATE tasks SET state = ?2, finished_at = ?3, forget_at = ?4, result = ?5,
                  failure = coalesce(?6, failure), attempt = attempt + ?7, owner = NULL, progress = NULL
                  WHERE id = ?1";
    let Ending { result, failure, story, failed } = ending;
    let result = result.map(|result| told(result, story));
    write
        .sql
        .prepare_cached(update)?
        .execute(params![id, state, write.now, forget_at, result, failure, failed])?;
    if matches!(known.state, State::Scheduled | State::Queued) {
        entries::remove(write.sql, id, known.generation)?;
    }
    if let Some(key) = &known.unique_key {
        free(write, key, id)?;
    }
    write.rings.finished(id);
    Ok(())
}

/// Ends a task that is not wanted any more. It is remembered until its messages, which may still wait on a
/// queue, have expired: a cancelled task that was forgotten would run.
pub(super) fn cancel(
    write: &mut Write<'_>,
    id: TaskId,
    known: &Known,
    rules: &Rules,
    ending: &Ending<'_>,
) -> rusqlite::Result<()> {
    let forget_at = write.now.max(known.expires_at) + rules.remember(Duration::ZERO);
    finish(write, id, known, State::Cancelled, forget_at, ending)
}

/// Frees a unique key, unless another task has it by now.
pub(super) fn free(write: &Write<'_>, key: &str, id: TaskId) -> rusqlite::Result<()> {
    write
        .sql
        .prepare_cached("DELETE FROM unique_keys WHERE key = ?1 AND id = ?2")?
        .execute(params![key, id])
        .map(drop)
}
