//! Child processes, shutdown and leadership.

mod connect;
mod reaper;

pub use connect::{ConnectError, connect};
pub use reaper::reap;
