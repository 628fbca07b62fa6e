//! One SQLite file, shared by all processes of one machine.
//!
//! Guarantees: a write is durable as `embedded.synchronous` says when it is answered; processes wake one
//! another through [`doorbell`]. Never does: hold a transaction open between two calls, or poll.

mod columns;
pub(crate) mod connection;
pub(crate) mod database;
pub(crate) mod doorbell;
mod error;
pub mod inspect;
pub(crate) mod progress;
mod unreadable;
pub(crate) mod writer;

pub use self::database::Database;
pub(crate) use self::{
    columns::{MESSAGE, QUEUE, message, packed, packed_before, suspicion, unpacked},
    doorbell::Topic,
    error::{DatabaseError, DatabaseErrorKind, is_unreadable},
    unreadable::{Sifted, part, readable, set_aside, sift},
    writer::Write,
};
