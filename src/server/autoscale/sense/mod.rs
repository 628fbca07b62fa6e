//! Makes the reading that a decision is made from out of what broker, store and driver say (spec S17).
//!
//! Guarantees: what was not said is absent from the reading, never zero; rates and spans go by the monotonic
//! clock, so that a step of the wall clock changes no decision; workers that drain are not counted. Never
//! does: decide anything.

mod arrivals;
mod facts;
mod replicas;
mod sensor;
mod service_time;

#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use replicas::{ReplicaState, Replicas};
pub use sensor::Sensor;
