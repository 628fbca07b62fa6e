//! Logs and metrics of every program of the pool.
//!
//! Guarantees: logs never go to standard output, which belongs to data; a line for people is one line,
//! whatever is in it; files are their owner's alone; starting them twice is harmless. Never does: block the
//! program on a slow reader of metrics, or grow without one.

mod attempts;
pub mod counters;
mod described;
mod event_log;
mod logs;
mod metrics;
mod page;
mod pretty;
mod process;
mod rotation;
mod sink;
mod visible;

pub use attempts::AttemptTotals;
pub use described::{Kind, Metric, OWN, WHOLE};
pub use event_log::report;
pub use logs::{LogError, reopen_logs, start_logs};
pub use metrics::{Metrics, metrics};
pub use page::Page;
pub use process::OwnProcess;
pub use visible::{Keep, Lines, steers};
