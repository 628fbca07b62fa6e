//! A worker: fetches tasks while it has free slots, claims each at the store, runs its handler, records the
//! outcome and only then acknowledges.
//!
//! Guarantees: INV-2 to INV-5 and INV-8. A handler that panics, hangs or floods its output costs its own
//! attempt and nothing else; heartbeats go on whatever handlers do. Never does: keep a task in memory that
//! the broker or the store does not also hold.
//!
//! The parts: [`Fetcher`](fetch::Fetcher)s (one a queue) bring deliveries to the [`Engine`](engine::Engine),
//! which owns all state; the [`Arbiter`] picks, the [`Throttle`](throttle::Throttle) holds others back while
//! P0 and P1 wait for the store, the [`Claimer`](claim::Claimer) asks the store, claimed tasks wait in the
//! [`RunQueue`](run_queue::RunQueue) for one of the [`Slots`](slots::Slots), which run handlers, the
//! [`Settler`](settle::Settler) records and acknowledges; the [`Heartbeat`](heartbeat::Heartbeat) beats.

mod arbiter;
mod attempt;
mod builder;
mod claim;
mod demand;
mod engine;
mod error;
mod fetch;
mod fetch_errors;
mod handler;
mod heartbeat;
mod job;
mod meter;
mod outcome;
mod parts;
mod questions;
mod receipts;
mod reconcile;
mod registry;
mod run;
mod run_queue;
mod settle;
mod slots;
mod stop;
mod testing;
mod throttle;
mod throughput;
#[cfg(test)]
mod twice_tests;
mod unhandled;
mod watch;

pub use arbiter::Arbiter;
pub use builder::{Worker, WorkerBuilder};
pub use error::WorkerError;
pub(crate) use handler::Function;
pub use handler::{Context, Handler, Progress};
pub(crate) use registry::Registry;
pub use testing::TestAttempt;
