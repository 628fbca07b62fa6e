use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProcessId, Timestamp, millis};

/// What kind of trouble an attempt ran into; the retry table (spec S9) has one row for each.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// No way to another machine: no route, no network.
    Network,
    /// A service asks for fewer requests (HTTP 429).
    RateLimit,
    /// A service is down or overloaded (HTTP 502, 503).
    ServiceUnavailable,
    /// The attempt, or something that it waited for, took longer than it may.
    Timeout,
    /// A connection was refused, or broke.
    Connection,
    /// A language model's service asks for fewer requests; longer waits than `RateLimit`.
    LlmRateLimit,
    /// A database refused or failed: a deadlock, a lock, a lost connection.
    Database,
    /// A file could not be read or written.
    FileSystem,
    /// Memory, disk, handles: the machine has too little of something.
    Resource,
    /// Credentials are missing, wrong or not allowed to do this. Never retried.
    Authentication,
    /// The task itself is wrong. Never retried.
    Validation,
    /// The worker is set up in a way that cannot do this. Never retried.
    Configuration,
    /// Something forbidden was tried. Never retried, and it raises an alarm.
    Security,
    /// The handler panicked.
    Panic,
    /// Anything a handler did not name.
    Other,
}

impl ErrorClass {
    /// In the order of the retry table.
    pub const ALL: [Self; 15] = [
        Self::Network,
        Self::RateLimit,
        Self::ServiceUnavailable,
        Self::Timeout,
        Self::Connection,
        Self::LlmRateLimit,
        Self::Database,
        Self::FileSystem,
        Self::Resource,
        Self::Authentication,
        Self::Validation,
        Self::Configuration,
        Self::Security,
        Self::Panic,
        Self::Other,
    ];

    /// As in the retry table and in JSON: `rate_limit`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::RateLimit => "rate_limit",
            Self::ServiceUnavailable => "service_unavailable",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::LlmRateLimit => "llm_rate_limit",
            Self::Database => "database",
            Self::FileSystem => "file_system",
            Self::Resource => "resource",
            Self::Authentication => "authentication",
            Self::Validation => "validation",
            Self::Configuration => "configuration",
            Self::Security => "security",
            Self::Panic => "panic",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown error class {0:?}")]
pub struct UnknownClass(String);

impl FromStr for ErrorClass {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

/// Why one attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{class}: {message}")]
pub struct Failure {
    /// Decides, by the retry table, whether and when the task starts again.
    pub class: ErrorClass,
    /// For people; at most [`Self::MESSAGE_LIMIT`] bytes and a mark that it was cut.
    pub message: String,
    /// The server's own Retry-After; it wins over the table.
    #[serde(
        default,
        rename = "retry_after_ms",
        alias = "retry_after",
        with = "millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<u64>")]
    pub retry_after: Option<Duration>,
    /// Never retry, whatever the table says of the class.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fatal: bool,
    /// The exit code of the program that ran, where one did and ended with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// How many of the message's last lines the program wrote to its standard error.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stderr_lines: u16,
}

// Serde gives a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(lines: &u16) -> bool {
    *lines == 0
}

impl Failure {
    /// The longest message kept; the rest is cut, so that a handler's gigabyte of output never reaches the
    /// store.
    pub const MESSAGE_LIMIT: usize = 4096;

    /// A failure that the table decides about. A longer message is cut.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > Self::MESSAGE_LIMIT {
            message.truncate(message.floor_char_boundary(Self::MESSAGE_LIMIT));
            message.push('…');
        }
        Self { class, message, retry_after: None, fatal: false, exit: None, stderr_lines: 0 }
    }

    /// The same, with what another one tells of the program that ran: its message ends as that one's does.
    #[must_use]
    pub fn of_program(self, other: &Self) -> Self {
        Self { exit: other.exit, stderr_lines: other.stderr_lines, ..self }
    }

    /// What went wrong, without the lines of the program's standard error.
    pub fn summary(&self) -> &str {
        self.parts().0
    }

    /// The lines that the program wrote to its standard error last, the very last one first.
    pub fn stderr(&self) -> impl Iterator<Item = &str> {
        self.parts().1.lines().rev()
    }

    fn parts(&self) -> (&str, &str) {
        let end = |before| self.message.rmatch_indices('\n').nth(before).map(|(at, _)| at);
        // A message that was cut has fewer lines than it says.
        let at = |before| end(before).or_else(|| self.message.find('\n'));
        match usize::from(self.stderr_lines).checked_sub(1).and_then(at) {
            Some(at) => (&self.message[..at], &self.message[at + 1..]),
            None => (&self.message, ""),
        }
    }

    /// The same, never retried.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// The same, tried again after this time and not by the table; at most a day is obeyed.
    #[must_use]
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }
}

/// One line of a task's history: which attempt failed, when and of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedAttempt {
    /// 1 is the first.
    pub attempt: u32,
    /// When it ended.
    pub at: Timestamp,
    /// What it ended in.
    #[serde(flatten)]
    pub failure: Failure,
    /// Who ran it. An earlier version's worker does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<Ran>,
}

/// Who ran an attempt, and how long it waited and ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
    /// The worker.
    #[serde(rename = "worker")]
    pub by: ProcessId,
    /// That of the worker's program.
    pub version: Arc<str>,
    /// When its handler began.
    pub started_at: Timestamp,
    /// From the moment when it could have begun, in milliseconds.
    pub wait_ms: u64,
    /// From its beginning to its end, in milliseconds.
    pub run_ms: u64,
}

/// Why a task is among the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// It failed as often as it may.
    Exhausted,
    /// It failed in a way that no retry mends.
    Fatal,
    /// Its time to live ran out before it could start.
    Expired,
    /// It took three workers down with it.
    Poison,
    /// The broker gave it up (its delivery limit) or it could not be decoded.
    Undeliverable,
}

impl DeadReason {
    /// Each reason once, to find one by its name.
    pub const ALL: [Self; 5] =
        [Self::Exhausted, Self::Fatal, Self::Expired, Self::Poison, Self::Undeliverable];

    /// As in JSON and in filters: `exhausted`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Fatal => "fatal",
            Self::Expired => "expired",
            Self::Poison => "poison",
            Self::Undeliverable => "undeliverable",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown reason {0:?}: use exhausted, fatal, expired, poison or undeliverable")]
pub struct UnknownReason(String);

impl FromStr for DeadReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name() == text)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}
