//! Whether a task that is due may start in the worker that asks for one.

use std::time::Duration;

use super::{STEP, Suspicion};
use crate::task::Timestamp;

/// How long past its time a task waits for its batch's turn in a worker.
const TURN: Duration = Duration::from_millis(500);

/// How long past its time a task that is alone in doubt waits for a worker of its own.
pub const PATIENCE: Duration = Duration::from_millis(750);

/// A task that a worker runs, or is to run, and that died with others before.
#[derive(Clone, Copy, Debug)]
pub struct Suspect {
    /// What is remembered of it.
    pub suspicion: Suspicion,
    /// When it was to start again.
    pub due: Timestamp,
    /// When it did start.
    pub started: Timestamp,
}

/// How long a task that is due has yet to wait before it may start in the worker that asks for it: tasks that
/// were to start apart do. `alone`: a task waits for a worker of its own.
pub fn hold(
    suspicion: Suspicion,
    due: Timestamp,
    now: Timestamp,
    there: &[Suspect],
    alone: bool,
) -> Option<Duration> {
    let overdue = now.since(due);
    let unfit = if suspicion.is_alone() { !there.is_empty() } else { alone && there.is_empty() };
    if unfit && overdue < PATIENCE {
        return Some(STEP / 2);
    }
    let meets = |other: &&Suspect| {
        let between = Duration::from_millis(other.due.as_millis().abs_diff(due.as_millis()));
        other.suspicion.is_alone() || overdue < TURN && between >= suspicion.apart()
    };
    let wait = |other: &Suspect| (other.started + other.suspicion.apart()).since(now);
    there.iter().filter(meets).map(wait).max().filter(|wait| !wait.is_zero())
}
