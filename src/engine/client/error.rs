use std::time::Duration;

use super::view::ErrorView;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the dispatcher's address {url:?} is wrong: {reason}; write http://HOST:PORT")]
    Address { url: String, reason: String },
    #[error("no dispatcher answers at {url} ({reason})")]
    Unreachable { url: String, reason: String },
    /// Status 503: the same request may be taken after `wait`.
    #[error("{view}; try again in {}s", wait.as_secs())]
    Busy { view: Box<ErrorView>, wait: Duration },
    #[error("{view}")]
    Refused { status: u16, view: Box<ErrorView> },
    #[error("{url} gave an answer that cannot be read: {reason}")]
    Unreadable { url: String, reason: String },
    #[error("no HTTP client can be made: {0}")]
    Setup(String),
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}
