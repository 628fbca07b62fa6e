//! From what broker, store and driver say to the reading that a decision is made from (spec S17).
//!
//! Guarantees: what was not said is absent from the reading, never zero; rates and spans go by the monotonic clock, so that
//! a step of the wall clock changes no decision; workers that drain are not counted. Never does: decide anything.

mod arrivals;
mod crew;
mod facts;
mod sensor;
mod service;

#[cfg(test)]
mod tests;

pub use crew::{Crew, Hand};
pub use facts::Facts;
pub use sensor::Sensor;
