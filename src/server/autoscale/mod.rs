//! How large a pool of workers should be, and keeping it so: what is sensed, the policies, the forecast
//! behind one of them, the control that acts through drivers, and a simulator that runs the same policies
//! against recorded load.
//!
//! Guarantees: policy, forecast and simulation are pure; only sense, control and drivers do I/O. Never does:
//! run tasks.

pub mod control;
pub mod driver;
pub mod forecast;
mod plan;
pub mod sense;
pub mod simulate;

pub use plan::Plan;
