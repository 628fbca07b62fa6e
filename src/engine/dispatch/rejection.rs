use std::{fmt::Display, time::Duration};

use serde::Serialize;

use clawpool_backends::{
    broker::BrokerError,
    path::{PathError, Refusal},
};
use clawpool_core::task::{TaskId, Unread};

/// Why a task was not taken. As JSON: `{code, message, field}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// Stable; `clawpool explain` tells more.
    pub code: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The field of the task that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When the same task may be taken; only with [`Fault::Busy`].
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// Whether the task was taken is not known: sent again with this id, it runs once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    /// Whether the same task may be sent again, and to whom the rest is left.
    #[serde(skip)]
    pub fault: Fault,
}

/// The code of a task whose id is that of another one.
pub const CONFLICT: &str = "CP-1130";

/// What can be done after a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The task breaks a rule: the producer must change it (HTTP 400).
    Invalid,
    /// A payload or a batch is over its limit (HTTP 413).
    TooLarge,
    /// The producer lacks the right to ask for this (HTTP 403).
    Forbidden,
    /// The id is that of another task, or the idempotency key that of another request (HTTP 409).
    Conflict,
    /// A queue is full or a server silent: the same task may be taken later (HTTP 503 with Retry-After).
    Busy,
    /// A server refuses, and trying again does not help: the operator must act (HTTP 500).
    Internal,
}

impl Rejection {
    pub(crate) fn invalid(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: Some(field.to_owned()),
            retry_after: None,
            id: None,
            fault: Fault::Invalid,
        }
    }

    /// A value that a handler would read as another one.
    pub(crate) fn changing(field: &str, message: impl Into<String>) -> Self {
        Self::invalid("CP-1121", field, message)
    }

    pub(crate) fn busy(code: &'static str, error: impl Display, retry_after: Duration) -> Self {
        let message = format!("{error}; nothing was taken");
        Self { code, message, field: None, retry_after: Some(retry_after), id: None, fault: Fault::Busy }
    }

    /// The id or the unique key was known a moment ago, and now its task is gone.
    pub(crate) fn withdrawn(id: TaskId) -> Self {
        let message = format!("it repeats task {id}, which ended or was withdrawn at this moment");
        Self::busy("CP-1119", message, Duration::from_millis(100))
    }

    /// The id is a task's that another token enqueued, or for another tenant.
    pub(crate) fn taken(id: TaskId) -> Self {
        let message = format!(
            "the id {id} belongs to a task of another token or tenant: send a UUID of its own, or none"
        );
        Self::invalid("CP-1126", "id", message).with_fault(Fault::Forbidden)
    }

    /// The id is that of a task with another kind or payload.
    pub(crate) fn conflict(id: TaskId) -> Self {
        let message = format!(
            "the id {id} is that of a task with another kind, tenant or payload: send a UUID of its own for \
            each task, and the same task again only as it was"
        );
        Self::invalid(CONFLICT, "id", message).with_fault(Fault::Conflict)
    }

    /// Neither that the task was taken nor that it was not can be said. Its id is told, for producers that
    /// gave none.
    pub(crate) fn in_doubt(id: TaskId, code: &'static str, error: impl Display) -> Self {
        let message = format!(
            "{error}; whether task {id} was taken is not known: send it again with this id, and it runs once"
        );
        let retry_after = Some(Duration::from_secs(1));
        Self { code, message, field: None, retry_after, id: Some(id), fault: Fault::Busy }
    }

    pub(crate) fn internal(code: &'static str, error: impl Display) -> Self {
        Self {
            code,
            message: error.to_string(),
            field: None,
            retry_after: None,
            id: None,
            fault: Fault::Internal,
        }
    }

    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// For `/metrics`.
    pub(super) fn count(&self) {
        metrics::counter!("clawpool_rejects_total", "code" => self.code).increment(1);
    }

    /// Whether the same task may be taken later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.fault, Fault::Busy)
    }
}

impl From<Unread> for Rejection {
    fn from(unread: Unread) -> Self {
        let code = unread.code();
        let message = unread.to_string();
        let fault = if matches!(unread, Unread::TooMany(_)) { Fault::TooLarge } else { Fault::Invalid };
        let field = match unread {
            Unread::Field { field, .. } => field,
            Unread::TooDeep { field } | Unread::Changing { field, .. } => Some(field),
            Unread::Malformed(_) | Unread::Empty | Unread::TooMany(_) => None,
        };
        Self { code, message, field, retry_after: None, id: None, fault }
    }
}

impl From<PathError> for Rejection {
    fn from(error: PathError) -> Self {
        let code = error.code();
        match &error {
            // Memory and disk alarms last longer than a full queue or a reconnect.
            PathError::Broker(BrokerError::Blocked { .. }) => Self::busy(code, error, Duration::from_secs(5)),
            _ if error.is_retryable() => Self::busy(code, error, Duration::from_secs(1)),
            _ => Self::internal(code, error),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused(error) => error.into(),
            Refusal::InDoubt(id, error) => Self::in_doubt(id, error.code(), error),
            Refusal::Withdrawn(id) => Self::withdrawn(id),
            Refusal::OfAnother(id) => Self::taken(id),
            Refusal::Conflict(id) => Self::conflict(id),
            Refusal::Unwritable(error) => Self::internal("CP-1120", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer adds it once, from the field.
    #[test]
    fn the_text_of_a_busy_server_leaves_the_time_to_its_field() {
        let rejection = Rejection::busy("CP-1203", "the queue is full", Duration::from_secs(5));
        assert_eq!(rejection.message, "the queue is full; nothing was taken");
        assert_eq!(rejection.retry_after, Some(Duration::from_secs(5)));
    }
}
