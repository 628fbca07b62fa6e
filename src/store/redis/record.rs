//! Task records: reading one, and walking through all.

use std::collections::HashMap;

use bytes::Bytes;
use redis::cmd;

use super::{RedisStore, corrupt, cursor::Cursor, link};
use crate::{
    store::{Page, Record, RecordFilter, StoreError},
    task::{Failure, Payload, Priority, State, TaskId, Timestamp, WorkerId},
};

/// A record as Redis has it: a hash with one-letter fields, which `scripts/opening.lua` explains.
pub(super) type Fields = HashMap<String, Bytes>;

/// Keys looked at in one step of a listing.
const STEP: usize = 500;

pub(super) fn key(base: &str, id: TaskId) -> Vec<u8> {
    [base.as_bytes(), b":t:", id.as_bytes()].concat()
}

pub(super) fn state(letter: &str) -> Result<State, StoreError> {
    Ok(match letter {
        "S" => State::Scheduled,
        "Q" => State::Queued,
        "R" => State::Running,
        "C" => State::Completed,
        "D" => State::Dead,
        "X" => State::Cancelled,
        other => return Err(corrupt(format_args!("{other:?} is no state of a task"))),
    })
}

pub(super) fn pack_failure(failure: &Failure) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(failure).map_err(corrupt)
}

/// `None` for a record that does not exist (any more).
pub(super) fn decode(id: TaskId, fields: &Fields) -> Result<Option<Record>, StoreError> {
    let Some(letter) = text(fields, "s") else { return Ok(None) };
    let time = |name| Ok::<_, StoreError>(number(fields, name)?.map(Timestamp::from_millis));
    let count = |name| Ok::<_, StoreError>(number(fields, name)?.unwrap_or(0).try_into().unwrap_or(u32::MAX));
    let priority = number(fields, "p")?.and_then(Priority::from_index);
    Ok(Some(Record {
        id,
        kind: text(fields, "k").unwrap_or_default(),
        priority: priority.ok_or_else(|| corrupt(format_args!("task {id} has no priority")))?,
        tenant: text(fields, "n"),
        state: state(&letter)?,
        attempt: count("a")?,
        crashes: count("c")?,
        generation: count("g")?,
        enqueued_at: time("e")?.unwrap_or_default(),
        started_at: time("b")?,
        finished_at: time("f")?,
        due_at: time("d")?,
        worker: fields.get("w").and_then(|id| Some(WorkerId::from_bytes(id[..].try_into().ok()?))),
        progress: text(fields, "m"),
        result: fields.get("r").cloned().map(Payload::from_message_pack),
        failure: fields.get("F").map(|bytes| rmp_serde::from_slice(bytes)).transpose().map_err(corrupt)?,
    }))
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn number(fields: &Fields, name: &str) -> Result<Option<u64>, StoreError> {
    let wrong = |_| corrupt(format_args!("field {name:?} of a task is no number"));
    text(fields, name).map(|text| text.parse().map_err(wrong)).transpose()
}

impl RedisStore {
    /// Walks all keys; `cursor` is where Redis's own walk stands, and the last task returned of its present step.
    pub(super) async fn list_records(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>, StoreError> {
        let mut at = cursor.map(Cursor::parse).transpose()?.unwrap_or_default();
        let mut items = Vec::new();
        loop {
            let (following, ids) = self.scan(&at).await?;
            for record in self.read(&ids).await?.into_iter().filter(|record| filter.matches(record)) {
                if items.len() >= limit.max(1) {
                    return Ok(Page { items, next: Some(at.to_string()) });
                }
                at.member = record.id.as_bytes().to_vec();
                items.push(record);
            }
            if following == 0 {
                return Ok(Page { items, next: None });
            }
            at = Cursor { number: following, member: Vec::new() };
        }
    }

    /// One step of the walk: where the next one begins, and the tasks of this one after the cursor, in order.
    async fn scan(&self, at: &Cursor) -> Result<(u64, Vec<TaskId>), StoreError> {
        let prefix = key(self.link.base(), TaskId::from_bytes([0; 16]));
        let prefix = &prefix[..prefix.len() - 16];
        let mut scan = cmd("SCAN");
        scan.arg(at.number).arg("MATCH").arg(pattern(prefix)).arg("COUNT").arg(STEP);
        let (following, keys): (u64, Vec<Bytes>) =
            self.link.send(&scan).await.map_err(|error| link::failure(&error))?;
        let id = |key: &Bytes| Some(TaskId::from_bytes(key.strip_prefix(prefix)?.try_into().ok()?));
        let mut ids: Vec<_> = keys.iter().filter_map(id).filter(|id| id.as_bytes()[..] > at.member[..]).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok((following, ids))
    }

    async fn read(&self, ids: &[TaskId]) -> Result<Vec<Record>, StoreError> {
        let commands = ids.iter().map(|id| {
            let mut command = cmd("HGETALL");
            command.arg(key(self.link.base(), *id));
            command
        });
        let commands: Vec<_> = commands.collect();
        let all = futures::future::join_all(commands.iter().map(|command| self.link.send::<Fields>(command))).await;
        let mut records = Vec::with_capacity(ids.len());
        for (id, fields) in ids.iter().zip(all) {
            records.extend(decode(*id, &fields.map_err(|error| link::failure(&error))?)?);
        }
        Ok(records)
    }
}

/// A glob that matches keys with this prefix, whatever characters it has.
fn pattern(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if b"*?[]^\\".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}
