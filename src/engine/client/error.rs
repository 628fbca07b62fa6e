use std::time::Duration;

use super::view::ErrorView;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is no URL of HTTP.
    #[error("the dispatcher's address {url:?} is wrong: {reason}; write http://HOST:PORT")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection failed, or the answer broke off.
    #[error("no dispatcher answers at {url} ({reason})")]
    Unreachable {
        /// Where it was asked.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// Status 503: the same request may be taken after `wait`.
    #[error("{view}; try again in {}s", wait.as_secs())]
    Busy {
        /// As the dispatcher says it.
        view: Box<ErrorView>,
        /// In whole seconds.
        wait: Duration,
    },
    /// The dispatcher answered with an error that stays.
    #[error("{view}")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// As the dispatcher says it, or made from the status.
        view: Box<ErrorView>,
    },
    /// The answer has another shape than was asked for.
    #[error("{url} gave an answer that cannot be read: {reason}")]
    Unreadable {
        /// Where it was asked.
        url: String,
        /// What the answer lacks.
        reason: String,
    },
    /// The system lacks what a client needs.
    #[error("no HTTP client can be made: {0}")]
    Setup(String),
}

impl ClientError {
    /// What the dispatcher says is wrong, by its stable code. None where none answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Busy { view, .. } | Self::Refused { view, .. } => Some(&view.code),
            _ => None,
        }
    }

    /// Whether the id, or the idempotency key, is that of another task or request: the same task is to be
    /// sent as it was, or with an id of its own.
    pub fn is_conflict(&self) -> bool {
        matches!(self.code(), Some("CP-1130" | "CP-1420"))
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}
