//! The work that one dispatcher does for all of them while it leads: promote due tasks, return the tasks of
//! dead workers, collect what a broker gave up, look for tasks whose messages are gone, tell of tasks that no
//! worker serves, sum up figures.
//!
//! Guarantees: an entry leaves the schedule set only after the broker has confirmed its message; a task that
//! is looked for is brought back once, with a new generation. Never does: run tasks, or act for a leader that
//! another has replaced.

mod claims;
mod collector;
mod leader;
mod lost;
mod promoter;
mod reaper;
mod silence;
mod suspects;
#[cfg(test)]
mod tests;
mod unserved;

pub(crate) use leader::{Times, run};
pub(crate) use promoter::promote;
pub(crate) use reaper::reap;
