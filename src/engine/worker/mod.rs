//! A worker: takes tasks while it has free slots, runs their handlers and records the outcomes.
//!
//! Guarantees: INV-2 to INV-5 and INV-8. A handler that panics, hangs or floods its output costs its own
//! attempt and nothing else; heartbeats go on whatever handlers do. Never does: keep a task in memory that
//! the broker or the store does not also hold.
//!
//! The parts: [`Puller`](puller::Puller)s, one for P0 and P1 and one for the others, take tasks as the
//! [`Engine`](engine::Engine) orders them, which owns all state. The [`Arbiter`] says what is asked for, the
//! [`Throttle`](throttle::Throttle) holds others back while P0 and P1 wait for the store. Claimed tasks wait
//! in the [`RunQueue`](run_queue::RunQueue) for one of the [`Slots`](slots::Slots), which run handlers. The
//! [`Settler`](settle::Settler) records outcomes; the [`Heartbeat`](heartbeat::Heartbeat) beats.
//! Beside all this the [`LogWriter`](log_writer::LogWriter) writes what attempts log.

mod arbiter;
mod attempt;
mod attempt_log;
mod builder;
mod demand;
mod engine;
mod error;
mod facts;
mod foundation;
mod handler;
mod heartbeat;
mod identity;
mod job;
mod log_layer;
mod log_writer;
mod meter;
mod outcome;
mod pacer;
mod parts;
mod puller;
mod questions;
mod reconcile;
mod registry;
mod run;
mod run_queue;
mod served;
mod settle;
mod slots;
mod stop;
mod story;
mod testing;
mod throttle;
mod throughput;
mod troubles;
#[cfg(test)]
mod twice_tests;
mod unhandled;
mod watch;

pub use arbiter::Arbiter;
pub use attempt_log::AttemptLog;
pub use builder::{Worker, WorkerBuilder};
pub use error::WorkerError;
pub(crate) use handler::Function;
pub use handler::{Context, Handler, Progress};
pub use log_layer::LogLayer;
pub(crate) use registry::Registry;
pub use testing::TestAttempt;
