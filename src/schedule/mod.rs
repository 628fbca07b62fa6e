//! When tasks are due. The promoter moves due entries of the schedule set to their queues.
//!
//! Guarantees: an entry leaves the set only after the broker has confirmed its message; one published twice by a crash in
//! between is dropped at its claim. Never does: keep a due time in memory alone, or poll.

mod promoter;

pub use promoter::promote;
