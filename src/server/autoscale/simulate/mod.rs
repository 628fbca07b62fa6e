//! Runs the autoscaler's own policies against recorded load, in virtual time, and says what it cost and how
//! long tasks waited.
//!
//! Guarantees: the same trace, settings and seed give the same answer; every scaler sees the same arrivals.
//! Never does: sleep, or touch a queue or a worker.

mod clairvoyant;
mod hpa;
mod load;
mod measure;
mod own;
mod plot;
mod pool;
mod run;
mod trace;

#[cfg(test)]
mod tests;

pub use clairvoyant::Clairvoyant;
pub use hpa::Hpa;
pub use measure::{Outcome, Sample};
pub use own::OwnScaler;
pub use plot::svg;
pub use run::{Scaler, SimulatedPool, simulate};
pub use trace::{Gaps, Trace, TraceError};
