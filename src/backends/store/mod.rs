//! The Store seam: remembers everything but the queues themselves. Task records and their fencing tokens, the
//! schedule set, dead letters, workers and their leases, leadership, pauses, pacing, the journal, notes. One
//! implementation each on Redis and SQLite.
//!
//! Guarantees: each method is atomic and durable when it returns; an attempt's outcome counts only with the
//! token of the latest claim (INV-2); a record, its schedule entry and its dead letter change together. Never
//! does: deliver tasks, or decide policy (what to retry, when, whom to scale).

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod control;
mod dead;
mod error;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod journal;
mod logs;
mod notes;
mod open;
mod probe;
pub mod redis;
mod schedule;
mod served;
pub mod sqlite;
mod stored_beat;
mod tasks;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;
mod workers;

pub use control::{ControlStore, Fence, QueueTotals, Role, Totals};
use dead::Budget;
pub use dead::{DeadFilter, DeadLetter, DeadStore, Requeued};
pub use error::StoreError;
pub use figures::{Counters, FigureStore, HostWindow, Window};
pub use journal::{Entry, Followed, JournalStore, Place, Topic};
pub use logs::{AttemptLog, LOGS_KEPT, LogLines, LogRules, LogStore};
pub use notes::NoteStore;
pub use open::open;
pub use probe::takes_writes;
pub use schedule::{Due, ScheduleStore, Scheduled, ScheduledTask};
pub use served::Served;
pub use tasks::{
    Admission, Admitted, Cancelled, Claim, ClaimOutcome, Claimed, ENDS_LOOKED_AT, ENDS_TOLD, End, LOOKED_AT,
    LOOKED_AT_BYTES, Looked, Record, RecordFilter, Seen, Settlement, TaskStore, UnfinishedTask, Waiting,
    Withdrawal, Withdrawn,
};
pub use workers::{Beat, Done, Orders, Question, Usage, WorkerInfo, WorkerStore};

pub trait Store:
    TaskStore + ScheduleStore + DeadStore + ControlStore + PoolStore + FigureStore + LogStore
{
}

impl<T> Store for T where
    T: TaskStore + ScheduleStore + DeadStore + ControlStore + PoolStore + FigureStore + LogStore
{
}

/// What keeping workers takes.
pub trait PoolStore: WorkerStore + JournalStore + NoteStore {}

impl<T: WorkerStore + JournalStore + NoteStore> PoolStore for T {}

/// One page of a listing, and where the next one starts.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// There are more: ask again with this as `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Entries that were read or skipped for this, where a filter makes a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<usize>,
}

impl<T> Page<T> {
    /// Of a listing without filters.
    pub const fn new(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next, looked_at: None }
    }
}
