//! Processes of the operating system: a child with everything that it starts, how it ended, what holds it to a limit, and
//! when this process itself is told to end.
//!
//! Guarantees: a child ends with all its descendants, also when this process is killed; the same calls on Unix and on
//! Windows. Never does: know tasks, queues or stores, or end a process that it did not start.

mod beginning;
mod exit;
mod guard;
mod limits;
mod orphans;
mod outlet;
mod polling;
mod shortage;
mod shutdown;
mod standstill;
mod tree;

pub use beginning::{when_work_begins, work_begins};
pub use exit::{describe, is_own_doing, signal};
pub use guard::{guard_if_asked, owner, watch};
pub use limits::Limits;
pub use orphans::{Mark, end_marked_aside};
pub use outlet::Outlet;
pub use polling::{POLLING_ENV, polling_folder};
pub use shortage::{SOON, is_shortage};
pub use shutdown::{Shutdown, order_stop, stdin_closed};
pub use standstill::Standstill;
pub use tree::Tree;

/// Tells a supervised worker the id under which its supervisor knows it; it must register as that.
pub const WORKER_ENV: &str = "CLAWPOOL_WORKER_ID";
pub const POOL_ENV: &str = "CLAWPOOL_POOL";
/// Marks every program that a worker's tasks start, so that none outlives a killed worker.
pub const OWNER_ENV: &str = "CLAWPOOL_OWNER";
