//! Events that an operator should know of, each with its level and its code, and their way into the journal.
//!
//! Guarantees: events are written in order, as soon as the store takes them. Never does: send messages to
//! people.

mod event;
mod outbox;
mod raise;

pub use event::{Alert, Event, Level};
pub use outbox::Outbox;
pub use raise::raise;
