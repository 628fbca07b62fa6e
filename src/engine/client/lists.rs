//! Answers about many tasks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_backends::store::Record;
use clawpool_core::task::State;

/// A page of tasks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TasksView {
    /// The latest first.
    pub items: Vec<Record>,
    /// There may be others: ask again with this as `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Records that were read or skipped for this.
    #[serde(default)]
    pub looked_at: u64,
    /// Tasks that may match: what their producers sent is where it cannot be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u64,
}

/// How many tasks there are of each state and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCountsView {
    /// Of the records that were looked at; a state without tasks is left out.
    pub states: BTreeMap<State, u64>,
    /// The same of each kind, by its name.
    pub kinds: BTreeMap<String, BTreeMap<State, u64>>,
    /// Records that were read or skipped for this.
    pub looked_at: u64,
    /// These are all tasks that match, and not only those among the records that were looked at.
    pub exact: bool,
    /// There may be others: ask again with this as `cursor`, and add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Of all tasks since the store was made, exactly, whatever the filter; for tokens that may see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_start: Option<TotalsView>,
}

impl TaskCountsView {
    /// One more task.
    pub fn count(&mut self, kind: &str, state: State, tasks: u64) {
        *self.states.entry(state).or_default() += tasks;
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(kind.to_owned(), BTreeMap::new());
        }
        if let Some(states) = self.kinds.get_mut(kind) {
            *states.entry(state).or_default() += tasks;
        }
    }

    /// What the next page says.
    pub fn add(&mut self, page: Self) {
        for (kind, states) in &page.kinds {
            for (state, tasks) in states {
                self.count(kind, *state, *tasks);
            }
        }
        self.looked_at += page.looked_at;
        self.next = page.next;
        self.exact = self.next.is_none();
        self.since_start = page.since_start.or(self.since_start);
    }
}

/// What became of all tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TotalsView {
    /// Accepted.
    pub enqueued: u64,
    /// Ended well.
    pub completed: u64,
    /// Failed attempts that were followed by another one.
    pub retried: u64,
    /// Became dead letters; requeued ones may do so again.
    pub dead: u64,
    /// Were cancelled.
    pub cancelled: u64,
}

/// Answer to a change of priority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReroutedView {
    /// Tasks that are on their way to the queue; in a dry run those that would be.
    pub changed: u64,
    /// Left alone: they run, are over, are unknown, or wait there already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Left alone: their messages are where they cannot be read; `code` says what to do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u64,
    /// Of `hidden`, for `clawpool explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Records that were looked at for this, where there are others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looked_at: u64,
    /// There are others: ask again with this as `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
