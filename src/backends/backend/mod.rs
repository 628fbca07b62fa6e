//! Clients of the servers that broker and store share: one Redis, one SQLite file.
//!
//! Guarantees: a connection that is lost, silent or leads to the wrong server is replaced by itself; no
//! caller waits for one without end; what a server's error means is said once. Never does: know queues' or
//! tasks' states.

pub mod redis;
pub mod sqlite;
mod unreadable;

#[cfg(any(test, feature = "conformance"))]
pub mod waiting;

pub use unreadable::{StoredItem, Unreadable};
