//! The layout of what Redis holds as packed bytes, told once: a task's record, a message, and the entry
//! that names it.
//!
//! Guarantees: Rust and the scripts read and write the same bytes, because the fields below, in this order,
//! are all that either knows: Rust through these structs, scripts through the Lua text that `lua.rs` makes
//! of them. Never does: change while versions that wrote it are about, because an earlier version's
//! processes share one Redis with later ones.

mod field;
mod lua;

use std::time::Duration;

use self::field::{layout, values};
pub(crate) use self::lua::{PLACES, definitions};
use clawpool_core::task::{Priority, ProcessId, State, TaskId, Timestamp};

/// A record tells a task's state with a code of one letter.
pub(crate) const fn code_of(state: State) -> char {
    match state {
        State::Scheduled => 'S',
        State::Queued => 'Q',
        State::Running => 'R',
        State::Completed => 'C',
        State::Dead => 'D',
        State::Cancelled => 'X',
    }
}

pub(crate) fn state_of(code: char) -> Option<State> {
    State::ALL.into_iter().find(|state| code_of(*state) == code)
}

layout! {
    /// The first part of a record: all of fixed length, and all that most steps of a task need. [`Tail`]
    /// follows.
    pub(crate) struct Head {
        state: State,
        /// Its cancellation was asked for while it ran.
        cancel_asked: bool,
        /// A caller waits for its end.
        awaited: bool,
        /// It has a unique key.
        has_key: bool,
        /// It told of its progress.
        has_progress: bool,
        priority: Priority,
        generation: u32,
        /// Attempts that failed.
        attempt: u32,
        /// Workers that died with it.
        crashes: u32,
        enqueued: Timestamp,
        expires: Timestamp,
        started: Option<Timestamp>,
        finished: Option<Timestamp>,
        /// When the schedule set hands it out. Of a task that workers died with, while it runs: when it was
        /// to start again, which is later than `started` until it has.
        due: Option<Timestamp>,
        /// Of the claim with which it runs; none: 0.
        token: u64,
        /// The delivery with which it runs, or [`WANTED`] where it waits on its queue and is not to be
        /// withdrawn.
        ticket: u32,
        worker: Option<ProcessId>,
    }
}

/// The ticket of a task that waits on its queue and was with a worker, or that was enqueued once more.
pub(crate) const WANTED: u32 = 1;

/// The ids of the tasks that came within such a time lie together.
pub(crate) const RECENT_STEP: Duration = Duration::from_mins(10);

values! {
    /// The second part of a record: each value after its length, which is 0 where there is none.
    pub(crate) struct Tail {
        kind,
        /// The tenant, and the token that enqueued the task.
        whose,
        /// With what it counts within.
        unique_key,
        progress,
        /// MessagePack, as the handler answered it.
        result,
        /// MessagePack of a [`Failure`](clawpool_core::task::Failure).
        failure,
    }
}

layout! {
    /// What scripts and consumers need of a message without decoding its body, which follows.
    pub(crate) struct Header {
        priority: Priority,
        enqueued: Timestamp,
        expires: Timestamp,
    }
}

layout! {
    /// Names one message among Redis's values, so that generations never collide.
    pub(crate) struct Name {
        id: TaskId,
        generation: u32,
    }
}
