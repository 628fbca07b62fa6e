//! Child processes, shutdown and leadership.
//!
//! Guarantees: a child dies with all its descendants and is always reaped; a worker that dies is buried at once, so that
//! its tasks go back without waiting for its lease, and is replaced without ever storming; a leader stops before its lease
//! can have passed to another. Never does: touch tasks, or end a process it did not start.

mod alert;
mod beats;
mod beginning;
mod child;
mod children;
mod connect;
mod crash;
mod exit;
mod guard;
mod journal;
mod leadership;
mod limits;
mod news;
mod orphans;
mod outbox;
mod outlet;
mod place;
mod polling;
mod probe;
mod reaper;
mod recycle;
mod restart;
mod roster;
mod shortage;
mod shutdown;
mod standstill;
mod tail;
mod tree;

pub use alert::{Alert, Event, Level};
pub use beginning::{when_work_begins, work_begins};
pub use children::{Children, Left, OWNER_ENV, POOL_ENV, Pool, WORKER_ENV};
pub use connect::{ConnectError, Servers, connect, connect_and_tell};
pub use crash::{Cause, CrashReport, Severity};
pub use exit::{describe, signal};
pub use guard::{guard_if_asked, owner, watch};
pub use journal::RESTART;
pub use leadership::{Standing, lead_and_tell, lead_while};
pub use limits::Limits;
pub use news::raise;
pub use orphans::{Mark, end_marked_aside};
pub use outbox::Outbox;
pub use outlet::Outlet;
pub use polling::polling_folder;
pub use reaper::reap;
pub use recycle::Recycle;
pub use roster::Member;
pub use shutdown::{Shutdown, order_stop, stdin_closed};
pub use tree::Tree;
