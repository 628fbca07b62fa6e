//! The HTTP API as its callers see it: the shapes of its answers, and a client that asks for them.
//!
//! Guarantees: an older server's answer is read, with what it does not say left out. Never does: know how a
//! server works.

pub mod access;
pub mod doctor;
#[cfg(feature = "client")]
mod enqueue;
#[cfg(feature = "client")]
mod error;
pub mod event;
#[cfg(feature = "client")]
mod events;
pub mod figures;
pub mod health;
pub mod host_series;
#[cfg(feature = "client")]
mod http;
mod idempotency;
pub mod lists;
mod pools;
mod request;
#[cfg(feature = "client")]
mod sse;
pub mod task;
pub mod view;

#[cfg(feature = "client")]
pub use error::ClientError;
#[cfg(feature = "client")]
pub use events::{Events, Following, StreamEvent};
#[cfg(feature = "client")]
pub use http::Client;
pub use idempotency::{IdempotencyKey, WrongKey};
pub use pools::{Cause, Change, Counts, ForecastStatus, Manual, PoolStatus};
pub use request::{Scale, Selection, TaskFilter, TaskSelection};
