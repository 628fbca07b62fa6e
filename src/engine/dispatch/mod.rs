//! Takes new tasks: checks, classifies and enqueues them, whether they came over HTTP, AMQP or from Rust.
//!
//! Guarantees: a task is answered with its id only when its record and its message are durable (INV-1); each
//! task of a batch has its own answer, and a bad one costs the others nothing; a full or silent queue is
//! answered with busy and a time to come back, never with a longer buffer. Never does: run tasks, keep them
//! in memory, or change one that was accepted.

mod admit;
mod check;
mod classify;
pub mod codec;
mod enqueue;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod producer;
mod queue_registry;
mod rejection;
mod served_cache;
mod times;
mod token;

pub use classify::{Classified, Classifier, DecidedBy};
pub use producer::{Accepted, Explanation, Producer, ProducerError, Rights};
pub use queue_registry::{QueueRegistry, Registered};
pub use rejection::{CONFLICT, Fault, Rejection};
pub use token::ProducerToken;

#[cfg(any(test, feature = "conformance"))]
pub mod testing;
#[cfg(test)]
mod tests;
