use std::{fmt::Display, time::Duration};

use serde::Serialize;

use crate::{broker::BrokerError, store::StoreError, task::TaskId};

/// Why a task was not taken. As JSON: `{code, message, field}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// Stable; `clawpool explain` tells more.
    pub code: &'static str,
    pub message: String,
    /// The field of the task that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When the same task may be taken; only with [`Fault::Busy`].
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    #[serde(skip)]
    pub fault: Fault,
}

/// Whose move it is after a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The task breaks a rule: the producer must change it (HTTP 400).
    Invalid,
    /// The payload is over the limit (HTTP 413).
    TooLarge,
    /// The producer lacks the right to ask for this (HTTP 403).
    Forbidden,
    /// A queue is full or a server silent: the same task may be taken later (HTTP 503 with Retry-After).
    Busy,
    /// A server refuses, and trying again does not help: the operator must act (HTTP 500).
    Internal,
}

impl Rejection {
    pub(super) fn invalid(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: Some(field.to_owned()), retry_after: None, fault: Fault::Invalid }
    }

    /// A value that a handler would read as another one.
    pub(super) fn changing(field: &str, message: impl Into<String>) -> Self {
        Self::invalid("CP-1121", field, message)
    }

    pub(super) fn busy(code: &'static str, error: impl Display, retry_after: Duration) -> Self {
        let message = format!("{error}; nothing was taken, try again in {}", humantime::format_duration(retry_after));
        Self { code, message, field: None, retry_after: Some(retry_after), fault: Fault::Busy }
    }

    /// The id or the unique key was known a moment ago, and now its task is gone.
    pub(super) fn withdrawn(id: TaskId) -> Self {
        let message = format!("it repeats task {id}, which ended or was withdrawn at this moment");
        Self::busy("CP-1119", message, Duration::from_millis(100))
    }

    pub(super) fn internal(code: &'static str, error: impl Display) -> Self {
        Self { code, message: error.to_string(), field: None, retry_after: None, fault: Fault::Internal }
    }

    pub(super) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Whether the same task may be taken later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.fault, Fault::Busy)
    }
}

impl From<BrokerError> for Rejection {
    fn from(error: BrokerError) -> Self {
        let code = error.code();
        match &error {
            BrokerError::Refused { .. } => Self::internal(code, error),
            // Memory and disk alarms last longer than a full queue or a reconnect.
            BrokerError::Blocked { .. } => Self::busy(code, error, Duration::from_secs(5)),
            _ => Self::busy(code, error, Duration::from_secs(1)),
        }
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        let code = error.code();
        if error.is_retryable() { Self::busy(code, error, Duration::from_secs(1)) } else { Self::internal(code, error) }
    }
}
