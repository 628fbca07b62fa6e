//! One task with all that is known of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::value::RawValue;

use clawpool_backends::store::Record;
use clawpool_core::task::{
    DeadReason, ErrorClass, FailedAttempt, Failure, LogLine, Payload, ProcessId, Ran, TaskId, Tier, Timestamp,
};

/// The record of a task, what its producer sent, and its attempts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TaskDetail {
    /// What the store knows.
    #[serde(flatten)]
    pub record: Record,
    /// The rest.
    #[serde(flatten)]
    pub story: StoryView,
}

/// What is known of a task beside its record.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StoryView {
    /// What the handler is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// How long it is as MessagePack, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<usize>,
    /// Why the payload is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_missing: Option<String>,
    /// The session that the producer named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What the customer has paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// A W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The producer's own notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Why it is a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_reason: Option<DeadReason>,
    /// The latest ones that are known, the oldest first. Workers that died with the task are counted in
    /// `crashes` and are not among them.
    #[serde(default)]
    pub attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptView {
    /// 1 is the first.
    pub attempt: u32,
    /// How it ended, if it has.
    pub outcome: AttemptOutcome,
    /// Who ran it. Absent where nothing ran: the task's time was over, or an earlier version did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<ProcessId>,
    /// That of the worker's program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_version: Option<String>,
    /// When its handler began; while it runs, when it was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// From the moment when it could have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// From its beginning to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_ms: Option<u64>,
    /// The exit code of a program that failed and ended with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AttemptError>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It has not.
    Running,
    /// Its handler succeeded.
    Completed,
    /// It failed, and the task was to be tried again.
    Retried,
    /// It failed, and the task became a dead letter.
    Dead,
    /// The task was cancelled.
    Cancelled,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptError {
    /// What kind of trouble it was.
    pub class: ErrorClass,
    /// What a program wrote to its standard error last, the very last line first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
    /// What went wrong.
    pub message: String,
    /// No retry would have mended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fatal: bool,
}

impl AttemptView {
    /// One that failed.
    pub fn failed(attempt: &FailedAttempt, outcome: AttemptOutcome) -> Self {
        let error = AttemptError::from(&attempt.failure);
        let view =
            Self { exit: attempt.failure.exit, error: Some(error), ..Self::new(attempt.attempt, outcome) };
        Self { ended_at: Some(attempt.at), ..view.by(attempt.ran.clone()) }
    }

    /// One that nothing more is known of.
    pub const fn new(attempt: u32, outcome: AttemptOutcome) -> Self {
        Self {
            attempt,
            outcome,
            worker: None,
            worker_version: None,
            started_at: None,
            ended_at: None,
            wait_ms: None,
            run_ms: None,
            exit: None,
            error: None,
        }
    }

    /// With who ran it.
    #[must_use]
    pub fn by(self, ran: Option<Ran>) -> Self {
        let Some(Ran { by, version, started_at, wait_ms, run_ms }) = ran else { return self };
        Self {
            worker: Some(by),
            worker_version: Some(version.to_string()),
            started_at: Some(started_at),
            wait_ms: Some(wait_ms),
            run_ms: Some(run_ms),
            ..self
        }
    }
}

impl From<&Failure> for AttemptError {
    fn from(failure: &Failure) -> Self {
        Self {
            class: failure.class,
            stderr: failure.stderr().map(str::to_owned).collect(),
            message: failure.summary().to_owned(),
            fatal: failure.fatal,
        }
    }
}

/// Read twice, because a payload arrives as it was sent only where it is read from the text itself.
impl<'de> Deserialize<'de> for TaskDetail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let record = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let story = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Self { record, story })
    }
}

/// The logs of a task's attempts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogsView {
    /// The task.
    pub id: TaskId,
    /// The latest ones of which lines are kept, the oldest first.
    pub items: Vec<AttemptLogView>,
}

/// The log of one attempt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AttemptLogView {
    /// 1 is the first.
    pub attempt: u32,
    /// Those that are kept, the oldest first.
    pub lines: Vec<LogLine>,
}
