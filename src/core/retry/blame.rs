//! Which tasks answer for a worker's death, and when those that ran in it start again.
//!
//! A worker that dies takes all its tasks along, and does not say which of them killed it. So its death is
//! shared out: one whole for a task that ran alone, a part for each of many. Tasks that died before share it
//! among themselves; a task is poison when it bears more than all the deaths but one that it is allowed, by
//! itself with its third. A bystander of one poison task bears at most half of each death; of several, this
//! keeps it alive as a rule, and is not proved.
//!
//! Doubt closes in on the one that kills, as in a group test. After a first death all start again at once.
//! After another one the tasks that had only just started begin first, in batches so far apart that the next
//! death tells them apart, and the rest after them: all of it within [`BUDGET`]. The batches become smaller
//! with each death. A task that is alone in doubt begins in a worker that runs no other one that died before,
//! so that a death is its own. Where a task kills long after its start, the batches wait for longer, once
//! [`QUICK`] deaths have been seen.
//!
//! No search is needed where it was seen which tasks were being polled as the worker died: see [`polled`].

mod group;
mod hold;
mod member;
mod polled;
mod suspicion;

use std::time::Duration;

use self::group::{GroupTest, search};
pub use self::{
    hold::{PATIENCE, Suspect, hold},
    member::{Consequence, Member},
    polled::{WATCHED, share_blame},
    suspicion::Suspicion,
};
use crate::task::Timestamp;

/// All have been started again by then, in the usual case.
const BUDGET: Duration = Duration::from_millis(1500);

/// Deaths after which suspects may have to wait for longer.
const QUICK: u32 = 5;

/// Windows are counted in these, from one to this many.
const STEP: Duration = Duration::from_millis(250);
const LONGEST: u8 = 120;

/// One death, as blame.
const WHOLE: u32 = 64;

/// The doubt in which one task is alone.
const ALONE: u8 = 15;

/// When a worker died whose death is told now: at its last beat, where it has been silent for longer than the
/// living are.
pub fn died_at(now: Timestamp, beat: Timestamp, quiet: Duration) -> Timestamp {
    if now.since(beat) > quiet { beat } else { now }
}

/// A span as a number of windows, rounded up.
fn steps(span: Duration) -> u8 {
    let steps = span.as_millis().div_ceil(STEP.as_millis());
    u8::try_from(steps).unwrap_or(LONGEST).clamp(1, LONGEST)
}

#[cfg(test)]
mod tests;
