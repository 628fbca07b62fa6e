//! Keeps pools at their sizes: looks at each again and again, decides, and has its driver start or drain workers.
//!
//! Guarantees (INV-7): of all processes that do this one acts at a time, and what it writes is refused once another leads;
//! a pool only shrinks while broker and store both answer, and then by draining, idle workers first; every change is in the
//! journal with all it was decided from. Never does: end a worker that has a task, the emergency apart; count a worker
//! that leaves.

mod book;
mod keeper;
mod leader;
mod order;
mod outlook;
mod presence;
mod victims;
mod wishes;

#[cfg(test)]
mod tests;

pub use leader::{Autoscaler, Kept};
pub use presence::{host, present};
pub use wishes::Wishes;

use clawpool_backends::store::{ControlStore, JournalStore, NoteStore, WorkerStore};

/// What keeping a pool needs of a store.
pub trait Memory: ControlStore + WorkerStore + JournalStore + NoteStore {}

impl<T: ControlStore + WorkerStore + JournalStore + NoteStore + ?Sized> Memory for T {}
