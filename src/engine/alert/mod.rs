//! What a person should know: each event with its level and its code, and its way into the journal.
//!
//! Guarantees: events are written in order, as soon as the store takes them. Never does: send anything to anybody.

mod event;
mod outbox;
mod raise;

pub use event::{Alert, Event, Level};
pub use outbox::Outbox;
pub use raise::raise;
