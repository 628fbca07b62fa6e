//! Processes of the operating system: a child with everything that it starts, how it ended, what holds it to
//! a limit, and when this process itself is told to end.
//!
//! Guarantees: a child ends with all its descendants, also when this process is killed; the same calls on
//! Unix and on Windows. Never does: know tasks, queues or stores, or end a process that it did not start.

mod environment;
mod exit;
mod guard;
mod limits;
mod orphans;
mod polling;
mod ready;
mod reload;
mod shortage;
mod shutdown;
mod stderr;
mod stopped;
#[cfg(unix)]
mod terminal;
mod tree;

pub use environment::restrict_environment;
pub use exit::{describe, is_self_inflicted, signal};
pub use guard::{guard_if_asked, owner, watch};
pub use limits::Limits;
pub use orphans::{Mark, end_marked_aside};
pub use polling::POLLING_ENV;
pub(crate) use polling::polling_folder;
pub use ready::{notify_ready, on_ready};
pub use reload::{ReloadRequests, reload_requests, request_reload};
pub use shortage::{SHORTAGE_RETRY, is_shortage};
pub(crate) use shutdown::stdin_closed;
pub use shutdown::{Shutdown, request_stop};
pub(crate) use stderr::SupervisedStderr;
pub use stopped::StopMonitor;
pub use tree::Tree;

/// Tells a supervised worker the id under which its supervisor knows it; it must register as that.
pub const WORKER_ENV: &str = "CLAWPOOL_WORKER_ID";
/// Tells a supervised worker the name of its pool.
pub const POOL_ENV: &str = "CLAWPOOL_POOL";
/// Marks every program that a worker's tasks start, so that none outlives a killed worker.
pub const OWNER_ENV: &str = "CLAWPOOL_OWNER";
