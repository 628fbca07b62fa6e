//! Keeps pools at their sizes: reads each at an interval, decides, and has its driver start or drain workers.
//!
//! Guarantees (INV-7): of all processes that do this one acts at a time, and what it writes is refused once
//! another leads; a pool only shrinks while broker and store both answer, and then by draining, idle workers
//! first; every change is in the journal with all it was decided from. Never does: end a worker that has a
//! task, the emergency apart; count a worker that leaves.

mod desired;
mod forecast_state;
mod heartbeat;
mod leader;
mod overrides;
mod persisted;
mod pool_controller;
mod scale_down;

#[cfg(test)]
mod tests;

pub use heartbeat::{host, live_autoscalers};
pub use leader::{Autoscaler, ManagedPool};
pub use overrides::Overrides;

use clawpool_backends::store::{ControlStore, JournalStore, NoteStore, WorkerStore};

/// What the autoscaler needs of a store.
pub trait AutoscalerStore: ControlStore + WorkerStore + JournalStore + NoteStore {}

impl<T: ControlStore + WorkerStore + JournalStore + NoteStore + ?Sized> AutoscalerStore for T {}
