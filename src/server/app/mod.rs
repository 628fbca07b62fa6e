//! The roles as a program runs them, put together: a dispatcher, and the autoscaler with its pools.
//!
//! Guarantees: a role that has lost one of its parts ends; it never looks alive without it. Never does: read
//! arguments or print, so that any program may run a role.

#![warn(missing_docs)]

mod counters;
mod dispatcher;
mod error;
mod pools;

pub use dispatcher::Dispatcher;
pub use error::AppError;
pub use pools::{Pools, WorkerProgram};
