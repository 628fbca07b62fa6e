//! Task records, as Redis has them.

use std::borrow::Cow;

use bytes::Bytes;

use super::corrupt;
use crate::{
    backend::redis::layout::{self, Head, Tail},
    store::{Admission, Record, StoreError, Waiting, tasks::told},
};
use clawpool_core::task::{Failure, Fingerprint, Queue, State, TaskId};

pub(super) fn key(base: &str, id: TaskId) -> Vec<u8> {
    [base.as_bytes(), b":t:", id.as_bytes()].concat()
}

/// Of a state's code, as a script answers it.
pub(super) fn state(text: &str) -> Result<State, StoreError> {
    let state = text.parse().ok().and_then(layout::state_of);
    state.ok_or_else(|| corrupt(format_args!("{text:?} is no state of a task")))
}

pub(super) fn pack_failure(failure: &Failure) -> Result<Vec<u8>, StoreError> {
    rmp_serde::to_vec_named(failure).map_err(corrupt)
}

/// Parts the three in a record's second value. None has control characters.
const BY: char = '\u{1e}';
/// Parts the tenant from the fingerprint, where there is one.
const OF: char = '\u{1d}';

/// The tenant, the token that enqueued the task, and its queue where that is a user's own. In one value,
/// which scripts of the version before carry without looking at it, so that both versions' workers keep it.
pub(super) fn pack_whose<'a>(
    tenant: Option<&'a str>,
    enqueued_by: Option<&str>,
    queue: Queue,
) -> Cow<'a, str> {
    let tenant = tenant.unwrap_or("");
    match (enqueued_by, queue.own()) {
        (None, None) => tenant.into(),
        (Some(token), None) => format!("{tenant}{BY}{token}").into(),
        (token, Some(queue)) => format!("{tenant}{BY}{}{BY}{}", token.unwrap_or(""), queue.written()).into(),
    }
}

/// What that value tells.
struct Whose {
    tenant: Option<String>,
    fingerprint: Option<Fingerprint>,
    enqueued_by: Option<String>,
    queue: Option<Queue>,
}

impl Whose {
    fn read(value: &[u8]) -> Self {
        let value = text(value);
        let mut parts = value.splitn(3, BY).map(|part| Some(part).filter(|part| !part.is_empty()));
        let mut next = || parts.next().flatten();
        let tenant = next().unwrap_or_default();
        let (tenant, fingerprint) = tenant.split_once(OF).unwrap_or((tenant, ""));
        Self {
            tenant: (!tenant.is_empty()).then(|| tenant.to_owned()),
            fingerprint: fingerprint.parse().ok(),
            enqueued_by: next().map(str::to_owned),
            queue: next().and_then(|queue| queue.parse().ok()),
        }
    }
}

/// The record of a task that has not run yet.
pub(crate) fn fresh(task: &Admission) -> Vec<u8> {
    let message = &task.message;
    let key = task.unique_key.as_deref().unwrap_or("");
    let head = Head {
        state: if task.at.is_some() { State::Scheduled } else { State::Queued },
        cancel_asked: false,
        awaited: false,
        has_key: !key.is_empty(),
        has_progress: false,
        priority: message.priority(),
        generation: message.generation,
        attempt: 0,
        crashes: 0,
        enqueued: message.enqueued_at,
        expires: message.expires_at,
        started: None,
        finished: None,
        due: task.at,
        token: 0,
        ticket: 0,
        worker: None,
    };
    let tenant = task.tenant.as_deref();
    // Only where there is one: most tasks pay nothing for it.
    let marked = task.fingerprint.map(|own| format!("{}{OF}{own}", tenant.unwrap_or("")));
    let whose = pack_whose(marked.as_deref().or(tenant), task.enqueued_by.as_deref(), message.queue);
    let tail =
        Tail { kind: &*task.kind, whose: &whose, unique_key: key, progress: "", result: "", failure: "" };
    let mut bytes = Vec::with_capacity(Head::WIDTH + tail.width());
    head.put(&mut bytes);
    tail.put(&mut bytes);
    bytes
}

/// A record as Redis has it: see [`layout`].
pub(super) fn decode(id: TaskId, bytes: Bytes) -> Result<Record, StoreError> {
    parse(id, bytes).ok_or_else(|| corrupt(format_args!("the record of task {id} cannot be read")))
}

fn parse(id: TaskId, mut bytes: Bytes) -> Option<Record> {
    let head = Head::take(&mut bytes)?;
    let tail = Tail::take(&mut bytes)?;
    if !bytes.is_empty() {
        return None;
    }
    let Whose { tenant, fingerprint, enqueued_by, queue } = Whose::read(&tail.whose);
    let failure = some(tail.failure.clone()).map(|bytes| rmp_serde::from_slice(&bytes)).transpose().ok()?;
    let (result, story) = told(head.state, some(tail.result), some(tail.failure));
    Some(Record {
        id,
        kind: text(&tail.kind),
        priority: head.priority,
        queue: queue.unwrap_or_else(|| head.priority.queue()),
        tenant,
        enqueued_by,
        state: head.state,
        waiting: Waiting::of(head.state, head.attempt),
        attempt: head.attempt,
        crashes: head.crashes,
        generation: head.generation,
        enqueued_at: head.enqueued,
        started_at: head.started,
        finished_at: head.finished,
        due_at: head.due.filter(|_| head.state == State::Scheduled),
        worker: head.worker,
        progress: some(tail.progress).map(|bytes| text(&bytes)),
        result,
        failure,
        story,
        fingerprint,
    })
}

fn some(value: Bytes) -> Option<Bytes> {
    (!value.is_empty()).then_some(value)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A glob that matches keys with this prefix, whatever characters it has.
pub(super) fn pattern(prefix: &[u8]) -> Vec<u8> {
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
