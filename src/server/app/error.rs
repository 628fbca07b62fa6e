use std::{fmt::Display, io};

use tokio_util::sync::CancellationToken;

use clawpool_backends::path::PathError;

/// Why a role ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A mistake that only shows when the configuration is put to use.
    #[error("{0}")]
    Configuration(String),
    /// Servers that are not fit for use, or did not answer before the program was told to end.
    #[error("{}: {}", .0.code(), .0)]
    Unreachable(#[from] PathError),
    /// What went wrong and what to do about it.
    #[error("{0}")]
    Failed(String),
    /// The system refused a socket, a file or a process.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl AppError {
    pub(super) fn unfit(error: impl Display) -> Self {
        Self::Configuration(error.to_string())
    }
}

/// An end that was not asked for is an error, so that the caller does not take it for a clean one.
pub(super) fn asked_for(asked: &CancellationToken, what: &str) -> Result<(), AppError> {
    if asked.is_cancelled() {
        return Ok(());
    }
    let text = format!("{what} has ended without being asked to: start it again, and see its log");
    Err(AppError::Failed(text))
}
