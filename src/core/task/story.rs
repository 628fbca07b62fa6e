//! What is told of a task when its message is gone: it rides behind the result or the failure in the task's
//! record, in the write that ends an attempt.
//!
//! Guarantees: bounded, however large the task and often its attempts; a reader of the value before it, of
//! this version or an earlier one, reads it as if nothing followed. Never does: decide anything.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    FailedAttempt, Failure, Payload, ProcessId, Ran, Task, Tier, Timestamp,
    payload::binary,
    scan::{Scanner, skip},
};

/// Of a task's failed attempts, so many of the latest.
const ATTEMPTS: usize = 10;
/// Of each failure's message, so many bytes.
const MESSAGE: usize = 1024;
/// What most tasks have beside their payload fits into so many bytes.
const USUAL: usize = 96;

/// A task as its producer sent it, and what became of its attempts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// None where it was longer than is kept.
    #[serde(default, rename = "p")]
    payload: Option<Packed>,
    /// Of a payload that was not kept.
    #[serde(default, rename = "n")]
    length: usize,
    /// As the producer named it.
    #[serde(default, rename = "s")]
    pub session: Option<String>,
    /// What the customer has paid for.
    #[serde(default, rename = "l")]
    pub tier: Option<Tier>,
    /// A W3C `traceparent`.
    #[serde(default, rename = "t")]
    pub trace: Option<String>,
    /// What the producer noted.
    #[serde(default, rename = "m")]
    pub meta: BTreeMap<String, String>,
    /// The latest failed ones, oldest first.
    #[serde(default, rename = "e")]
    pub errors: Vec<FailedAttempt>,
    /// The last one, where that did not fail.
    #[serde(default, rename = "r")]
    pub last: Option<Ran>,
}

/// As one binary string, so that it is copied and not walked through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Packed(#[serde(with = "binary")] Payload);

/// The same as it is written: most tasks have hardly any of it.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    payload: Option<&'a serde_bytes::Bytes>,
    #[serde(rename = "n", skip_serializing_if = "is_zero")]
    length: usize,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(rename = "m", skip_serializing_if = "BTreeMap::is_empty")]
    meta: &'a BTreeMap<String, String>,
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Cow<'a, FailedAttempt>>,
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    last: Option<Values<'a>>,
}

/// The values of [`Ran`], in order and without their names, which would be more than half of it.
type Values<'a> = (ProcessId, &'a str, Timestamp, u64, u64);

impl Story {
    /// That of a task, of which the attempt that ends now did not fail if `last` is given; packed. A payload
    /// is kept up to so many bytes.
    pub fn write(task: &Task, last: Option<&Ran>, longest_payload: usize) -> Bytes {
        let payload = task.payload.as_message_pack();
        let is_kept = payload.len() <= longest_payload;
        let kept = &task.errors[task.errors.len().saturating_sub(ATTEMPTS)..];
        let written = Written {
            payload: is_kept.then(|| serde_bytes::Bytes::new(payload)),
            length: if is_kept { 0 } else { payload.len() },
            session: task.session.as_deref(),
            tier: task.tier,
            trace: task.trace.as_deref(),
            meta: &task.meta,
            errors: kept.iter().map(shortened).collect(),
            last: last.map(values),
        };
        let mut packed = Vec::with_capacity(USUAL + if is_kept { payload.len() } else { 0 });
        // Fails for no such value; a task without its story has its record all the same.
        match rmp_serde::encode::write_named(&mut packed, &written) {
            Ok(()) => packed.into(),
            Err(_) => Bytes::new(),
        }
    }

    /// None where there is none, or it is of a kind that this version does not know.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }

    /// A task as its message has it, at whatever length.
    pub fn of(task: Task) -> Self {
        Self {
            length: 0,
            payload: Some(Packed(task.payload)),
            session: task.session,
            tier: task.tier,
            trace: task.trace,
            meta: task.meta,
            errors: task.errors,
            last: None,
        }
    }

    /// The same without taking it.
    pub fn payload(&self) -> Option<&Payload> {
        self.payload.as_ref().map(|packed| &packed.0)
    }

    /// How long the payload was, as MessagePack.
    pub fn payload_bytes(&self) -> usize {
        self.payload.as_ref().map_or(self.length, |packed| packed.0.as_message_pack().len())
    }

    /// What the handler was given.
    pub fn into_payload(self) -> Option<Payload> {
        self.payload.map(|packed| packed.0)
    }

    /// Takes apart a value and the story that follows it. Bytes that are no value are one as a whole.
    pub fn part(mut value: Bytes) -> (Bytes, Bytes) {
        let mut scanner = Scanner::new(&value);
        let end = if skip(&mut scanner).is_ok() { scanner.position() } else { value.len() };
        let story = value.split_off(end);
        (value, story)
    }
}

fn values(ran: &Ran) -> Values<'_> {
    (ran.by, &ran.version, ran.started_at, ran.wait_ms, ran.run_ms)
}

/// A field that is zero is not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(length: &usize) -> bool {
    *length == 0
}

fn shortened(error: &FailedAttempt) -> Cow<'_, FailedAttempt> {
    let message = &error.failure.message;
    if message.len() <= MESSAGE {
        return Cow::Borrowed(error);
    }
    // What a program wrote last says most: the beginning and the end stay.
    let head = message.floor_char_boundary(MESSAGE / 4);
    let tail = message.ceil_char_boundary(message.len() - MESSAGE / 2);
    let tail = message[tail..].find('\n').map_or(tail, |line| tail + line);
    let stderr_lines = message[tail..].matches('\n').count().try_into().unwrap_or(u16::MAX);
    let stderr_lines = error.failure.stderr_lines.min(stderr_lines);
    let message = format!("{}…{}", &message[..head], &message[tail..]);
    Cow::Owned(FailedAttempt {
        failure: Failure { message, stderr_lines, ..error.failure.clone() },
        ..error.clone()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::task::{ErrorClass, Priority, TaskId};

    fn task(payload: &str) -> Task {
        let second = Duration::from_secs(1);
        Task {
            version: Task::VERSION,
            id: TaskId::new(),
            enqueued_by: None,
            kind: "voice.call".into(),
            payload: Payload::encode(payload).unwrap(),
            priority: Priority::P0,
            queue: None,
            tenant: None,
            tier: None,
            session: Some("call 7".into()),
            enqueued_at: Timestamp::now(),
            not_before: None,
            expires_at: Timestamp::now() + second,
            attempt: 0,
            max_attempts: None,
            retry: None,
            timeout: second,
            unique_key: None,
            trace: None,
            trace_state: None,
            meta: BTreeMap::from([("user".to_owned(), "ada".to_owned())]),
            result_ttl: second,
            generation: 0,
            handed_on: 0,
            errors: vec![],
        }
    }

    fn ran() -> Ran {
        let by = ProcessId::new();
        Ran { by, version: "1.2.3".into(), started_at: Timestamp::now(), wait_ms: 3, run_ms: 80 }
    }

    fn failed(attempt: u32, message: String) -> FailedAttempt {
        let failure = Failure::new(ErrorClass::Other, message);
        FailedAttempt { attempt, at: Timestamp::now(), failure, ran: Some(ran()) }
    }

    #[test]
    fn is_read_behind_a_value_which_is_read_as_before() {
        let task = task("hello");
        let last = ran();
        let result = Payload::encode(&["done"]).unwrap();
        let story = Story::write(&task, Some(&last), 100);
        let value = Bytes::from([result.as_message_pack().as_ref(), &story].concat());
        let (value, rest) = Story::part(value);
        assert_eq!(value, result.as_message_pack());
        let story = Story::read(&rest).unwrap();
        assert_eq!((&story.session, &story.meta, &story.last), (&task.session, &task.meta, &Some(last)));
        assert_eq!(story.into_payload(), Some(task.payload));
        let failure = Failure::new(ErrorClass::Network, "no route");
        let value = [rmp_serde::to_vec_named(&failure).unwrap(), rest.to_vec()].concat();
        assert_eq!(rmp_serde::from_slice::<Failure>(&value).unwrap(), failure);
    }

    /// As the version before wrote it: the last attempt with the names of its values.
    #[test]
    fn is_read_as_it_was_written_before() {
        let last = ran();
        let story = Story { length: 7, last: Some(last.clone()), ..Story::default() };
        let story = Story::read(&rmp_serde::to_vec_named(&story).unwrap()).unwrap();
        assert_eq!((story.payload_bytes(), story.last), (7, Some(last)));
    }

    #[test]
    fn costs_a_plain_task_few_bytes_beside_its_payload() {
        let task = Task { session: None, meta: BTreeMap::new(), ..task("hello") };
        let payload = task.payload.as_message_pack().len();
        let bytes = Story::write(&task, Some(&ran()), 100).len() - payload;
        assert!(bytes <= 52, "{bytes}");
    }

    #[test]
    fn is_bounded() {
        let mut task = task(&"x".repeat(5000));
        task.errors = (1..=50).map(|number| failed(number, "line\n".repeat(1000))).collect();
        let bytes = Story::write(&task, None, 1024);
        assert!(bytes.len() < 12 * 1024, "{}", bytes.len());
        let story = Story::read(&bytes).unwrap();
        assert_eq!(
            story.errors.iter().map(|error| error.attempt).collect::<Vec<_>>(),
            [41, 42, 43, 44, 45, 46, 47, 48, 49, 50]
        );
        assert_eq!(story.payload_bytes(), task.payload.as_message_pack().len());
        assert_eq!(story.into_payload(), None);
    }

    #[test]
    fn a_failure_tells_the_last_line_of_standard_error_first() {
        let mut failure = Failure::new(ErrorClass::Other, "the program ended with exit code 1\none\ntwo");
        failure.stderr_lines = 2;
        assert_eq!(failure.summary(), "the program ended with exit code 1");
        assert_eq!(failure.stderr().collect::<Vec<_>>(), ["two", "one"]);
        failure.stderr_lines = 0;
        assert_eq!((failure.summary(), failure.stderr().count()), (&*failure.message, 0));
        failure.stderr_lines = 9;
        assert_eq!(failure.stderr().collect::<Vec<_>>(), ["two", "one"]);
    }
}
