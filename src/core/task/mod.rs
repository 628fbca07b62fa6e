//! What a task is, without any I/O: the envelope and its codec, priorities and the queues they travel on,
//! the states of a task's life, failures and outcomes.
//!
//! Guarantees: every value here can be written to MessagePack and read back unchanged, by this version and by
//! older or newer ones (named fields, unknown ones ignored). Never does: network, disk, clocks other than
//! [`Timestamp::now`].

pub mod document;
mod failure;
mod fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod id;
mod inside;
mod kind;
#[cfg(test)]
mod kind_tests;
mod lane;
mod log_line;
mod message;
pub mod millis;
mod new_task;
mod payload;
mod priority;
pub mod proof;
mod queue;
mod queue_pattern;
mod reading;
mod route;
pub mod scan;
#[cfg(test)]
mod scan_tests;
pub mod span;
mod state;
mod story;
mod task_name;
mod text;
mod time;
pub mod trace;
mod transcript;

pub use failure::{DeadReason, ErrorClass, FailedAttempt, Failure, Ran};
pub use fingerprint::Fingerprint;
pub use id::{ProcessId, TaskId};
pub use inside::Inside;
pub use kind::strange_character;
pub use kind::{BadPattern, KindPattern};
pub use lane::Lane;
pub use log_line::{LogLine, LogSource};
pub use message::{CodecError, Message, Task};
pub use new_task::{NewTask, Tier};
pub use payload::Payload;
pub use priority::Priority;
pub use queue::{BadQueue, Queue};
pub use queue_pattern::QueuePattern;
#[cfg(any(test, feature = "fuzzing"))]
pub use reading::KEYS;
pub use reading::Unread;
pub use reading::named_field;
pub use state::{Outcome, State};
pub use story::Story;
pub use task_name::{BadTaskName, IdEnd, TaskName};
pub use text::without_mark;
pub use time::Timestamp;
pub use trace::TraceContext;
