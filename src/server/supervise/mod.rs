//! Supervision: keeps the worker processes of a pool running, as many as it is told.
//!
//! Guarantees: a child is always reaped; the lease of a worker that dies is ended at once, so that its tasks
//! go back without waiting for it, and the worker is replaced without ever storming. Never does: touch tasks,
//! or end a process it did not start.

mod alerts;
mod child;
mod crash;
mod heartbeats;
mod polling;
mod recycle;
mod replica;
mod replicas;
mod restart;
mod supervisor;
mod tail;

pub use alerts::RESTART;
pub use crash::{Cause, CrashReport, Severity};
pub use recycle::Recycle;
pub use replicas::ReplicaStatus;
pub use supervisor::{PoolSpec, StoppedWorker, Supervisor};
