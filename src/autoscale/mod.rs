//! How large a pool of workers should be: the policies, the forecast behind one of them, and a simulator that runs both
//! against recorded load.
//!
//! Never does (its drivers apart): read a clock, a store or a machine. Whoever decides hands in readings and the time.

pub mod driver;
pub mod forecast;
pub mod policy;
pub mod simulate;
