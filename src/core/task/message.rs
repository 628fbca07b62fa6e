use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{FailedAttempt, Payload, Priority, Queue, TaskId, Tier, Timestamp, payload::binary, span};

/// The envelope: an accepted task as it travels between dispatcher, broker, worker and schedule set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Of this layout. A reader takes any version: fields it does not know are ignored, missing ones have
    /// defaults.
    pub version: u8,
    /// The same from its acceptance to the end of its record.
    pub id: TaskId,
    /// The name of the token that enqueued it; none where none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enqueued_by: Option<String>,
    /// What is to be done, for example `email.send`; picks the handler.
    pub kind: String,
    /// What its handler is given.
    #[serde(with = "binary")]
    pub payload: Payload,
    /// That of its queue.
    pub priority: Priority,
    /// Absent: the own queue of its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// The customer for whom it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What this customer has paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The producer's own word for what belongs together; at most `limits.name` bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When it was accepted.
    pub enqueued_at: Timestamp,
    /// When its next attempt may start; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Dead-lettered when not started by then. Each retry keeps it.
    pub expires_at: Timestamp,
    /// Failed attempts so far. Releases, shutdowns and crashes are not among them.
    #[serde(default)]
    pub attempt: u32,
    /// Handler starts in all; absent: the retry table decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// A retry policy of the configuration, in place of the row for the error's class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// How long one attempt may run.
    #[serde(with = "span")]
    pub timeout: Duration,
    /// While the task is not finished, no other one with this key is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// A W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// A W3C `tracestate`, of those that made `trace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_state: Option<String>,
    /// The producer's own notes: names and values, which Clawpool shows and hands on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// How long its result is kept.
    #[serde(with = "span")]
    pub result_ttl: Duration,
    /// Counts the times the task was put (back) on its way: 0 at first, one more with each retry or requeue.
    /// A message of an earlier generation than the store's record is a duplicate and is dropped.
    #[serde(default)]
    pub generation: u32,
    /// How often a worker without a handler for its kind has handed it on since its last attempt.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handed_on: u32,
    /// Its failures: the first one and the latest nineteen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FailedAttempt>,
}

// Serde gives a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why a task could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Writing failed.
    #[error("task {0} cannot be encoded: {1}")]
    Encode(TaskId, rmp_serde::encode::Error),
    /// These bytes are no envelope, of whatever version.
    #[error("a message of {0} bytes is not a task: {1}")]
    Decode(usize, rmp_serde::decode::Error),
}

impl Task {
    /// The one that this program writes.
    pub const VERSION: u8 = 1;

    /// Reads an envelope of any version. Fails on bytes that are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        rmp_serde::from_slice(bytes).map_err(|error| CodecError::Decode(bytes.len(), error))
    }

    /// Where it waits.
    pub fn queue(&self) -> Queue {
        self.queue.unwrap_or_else(|| self.priority.queue())
    }

    /// The unique key together with what it counts within, so that no tenant meets the keys of another one:
    /// the tenant, or the token where there is no tenant. Names have no control characters, so no two of
    /// these are alike by chance.
    pub fn scoped_key(&self) -> Option<String> {
        let key = self.unique_key.as_ref()?;
        Some(match (&self.tenant, &self.enqueued_by) {
            (Some(tenant), _) => format!("tenant\u{1f}{tenant}\u{1f}{key}"),
            (None, Some(token)) => format!("token\u{1f}{token}\u{1f}{key}"),
            (None, None) => key.clone(),
        })
    }

    /// Why it expired, in words.
    pub fn lateness(&self) -> String {
        let late = format!("not started before {}", self.expires_at);
        match self.handed_on {
            0 => late,
            _ => format!("{late}: no worker that it came to had a handler for {:?}", self.kind),
        }
    }

    /// The message that carries this task, as it stands, to its queue.
    pub fn to_message(&self) -> Result<Message, CodecError> {
        let body = rmp_serde::to_vec_named(self).map_err(|error| CodecError::Encode(self.id, error))?;
        Ok(Message {
            id: self.id,
            generation: self.generation,
            queue: self.queue(),
            enqueued_at: self.enqueued_at,
            expires_at: self.expires_at,
            body: body.into(),
        })
    }
}

/// What brokers and the schedule set move: an encoded [`Task`] and the few of its fields that they look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Of the task inside.
    pub id: TaskId,
    /// Of the task inside: what tells a duplicate.
    pub generation: u32,
    /// Where it waits.
    pub queue: Queue,
    /// For the age of the oldest ready task.
    pub enqueued_at: Timestamp,
    /// For brokers that drop what is late.
    pub expires_at: Timestamp,
    /// The task, encoded.
    pub body: Bytes,
}

impl Message {
    /// Reads the fields back from `body`, for transports that keep nothing beside it.
    pub fn from_body(body: Bytes) -> Result<Self, CodecError> {
        let task = Task::decode(&body)?;
        Ok(Self {
            id: task.id,
            generation: task.generation,
            queue: task.queue(),
            enqueued_at: task.enqueued_at,
            expires_at: task.expires_at,
            body,
        })
    }

    /// Of its queue.
    pub const fn priority(&self) -> Priority {
        self.queue.priority()
    }

    /// Decodes the task. Fails when the body is none.
    pub fn task(&self) -> Result<Task, CodecError> {
        Task::decode(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task {
            version: Task::VERSION,
            id: TaskId::new(),
            enqueued_by: None,
            kind: "email.send".into(),
            payload: Payload::encode("hello").unwrap(),
            priority: Priority::P4,
            queue: None,
            tenant: None,
            tier: Some(Tier::Premium),
            session: None,
            enqueued_at: Timestamp::now(),
            not_before: None,
            expires_at: Timestamp::now() + Duration::from_secs(60),
            attempt: 1,
            max_attempts: Some(4),
            retry: None,
            timeout: Duration::from_millis(1500),
            unique_key: None,
            trace: None,
            trace_state: None,
            meta: Default::default(),
            result_ttl: Duration::from_secs(3600),
            generation: 2,
            handed_on: 0,
            errors: vec![],
        }
    }

    #[test]
    fn survives_the_wire() {
        let message = task().to_message().unwrap();
        assert_eq!(message.task().unwrap().to_message().unwrap(), message);
        assert_eq!(Message::from_body(message.body.clone()).unwrap(), message);
    }

    #[test]
    fn unique_keys_count_within_the_tenant_or_else_the_token() {
        let key = |tenant: Option<&str>, token: Option<&str>| {
            let tenant = tenant.map(Into::into);
            let enqueued_by = token.map(Into::into);
            Task { tenant, enqueued_by, unique_key: Some("k".into()), ..task() }.scoped_key().unwrap()
        };
        assert_eq!(key(Some("acme"), Some("shop")), key(Some("acme"), Some("desk")));
        let keys = [key(None, None), key(Some("x"), None), key(Some("y"), None), key(None, Some("x"))];
        assert!(keys.iter().enumerate().all(|(index, key)| !keys[..index].contains(key)), "{keys:?}");
        assert_eq!(keys[0], "k", "as an earlier version has it");
        assert_eq!(task().scoped_key(), None);
    }

    #[test]
    fn a_newer_versions_fields_are_ignored() {
        #[derive(Serialize)]
        struct Newer {
            #[serde(flatten)]
            task: Task,
            colour: &'static str,
        }
        let bytes = rmp_serde::to_vec_named(&Newer { task: task(), colour: "red" }).unwrap();
        assert_eq!(Task::decode(&bytes).unwrap().kind, "email.send");
    }

    #[test]
    fn garbage_is_an_error() {
        for bytes in [&b""[..], b"\xff\xff", b"{\"id\":1}", &[0xdf, 0xff, 0xff, 0xff, 0xff]] {
            assert!(Task::decode(bytes).is_err());
        }
    }
}
