use std::io;

use clawpool_backends::path::PathError;
use clawpool_core::{config::ConfigErrors, retry, task::BadPattern};

/// Why a worker could not start, or had to leave.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Its retry table cannot be used.
    #[error(transparent)]
    Retry(#[from] retry::BadTable),
    /// A handler was added for something that is no kind and no prefix of kinds.
    #[error("a handler's kind cannot be used: {0}")]
    Pattern(#[from] BadPattern),
    /// A server is not fit for use, or the worker was told to end before it answered.
    #[error(transparent)]
    Connect(#[from] PathError),
    /// The system refused a thread or a signal handler.
    #[error("a thread or a signal handler could not be set up: {0}")]
    System(#[from] io::Error),
    /// The store did not take the first heartbeat.
    #[error("the worker could not be registered; see the log")]
    NoLease,
    #[error(
        "the thread that keeps the worker's lease has ended; this worker leaves and must be started anew"
    )]
    /// No heartbeat can be sent any more, so other workers take the tasks over.
    LeaseLost,
    #[error(
        "a part of the worker has ended by itself, see the log; this worker leaves and must be started anew"
    )]
    /// A fetcher, the settler or the engine is gone.
    Broken,
    /// A thread cannot be had back from a handler that never returns.
    #[error("a handler hung and took its thread with it; this worker has left and must be started anew")]
    Hung,
}

impl WorkerError {
    /// Stable; `clawpool explain` tells more.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::Retry(_) => "CP-1001",
            Self::Pattern(_) => "CP-1011",
            Self::Connect(error) => error.code(),
            Self::System(_) => "CP-1503",
            Self::NoLease | Self::LeaseLost => "CP-1504",
            Self::Broken => "CP-1506",
            Self::Hung => "CP-1502",
        }
    }
}
