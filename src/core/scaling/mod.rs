//! The decision: from a reading and the time to a number of workers, with every reason.
//!
//! Guarantees (INV-7): the pool stays within its bounds and rates; it shrinks only when queues and workers
//! are both known and every tracking policy agrees; more load never asks for fewer workers. Missing workers
//! count as fully busy when shrinking and as idle when growing. Never does: I/O, or look at a wall clock;
//! `now` only ever grows.

mod accuracy;
mod decision;
mod limits;
mod planner;
mod reading;
mod table;
mod tracking;

#[cfg(test)]
mod tests;

pub use accuracy::Accuracy;
pub use decision::{Action, Decision, Limit, Vote};
pub use planner::Planner;
pub use reading::{Ahead, Gauge, Headroom, Queues, Reading, Workers};
use tracking::needed;
