//! Supervision: keeps the worker processes of a pool running, as many as it is told.
//!
//! Guarantees: a child is always reaped; the lease of a worker that dies is ended at once, so that its tasks go back
//! without waiting for it, and the worker is replaced without ever storming. Never does: touch tasks, or end a process it
//! did not start.

mod beats;
mod child;
mod children;
mod crash;
mod journal;
mod place;
mod polling;
mod recycle;
mod restart;
mod roster;
mod tail;

pub use children::{Children, Left, Pool};
pub use crash::{Cause, CrashReport, Severity};
pub use journal::RESTART;
pub use recycle::Recycle;
pub use roster::Member;
