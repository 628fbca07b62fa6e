//! A worker: fetches tasks while it has free slots, claims each at the store, runs its handler, records the outcome and
//! only then acknowledges.
//!
//! Guarantees: INV-2 to INV-5 and INV-8. A handler that panics, hangs or floods its output costs its own attempt and
//! nothing else; heartbeats go on whatever handlers do. Never does: keep a task in memory that the broker or the store
//! does not also hold.

mod handler;

pub use handler::{Context, Function, Handler};
