//! Traces of tasks: the spans of enqueue, wait and attempt, and their export to a collector.
//!
//! A task belongs to the trace of its producer; without one, and where spans are exported, to a trace of its
//! own that has the task's id. Its spans:
//!
//! ```text
//! the producer's
//! └─ enqueue            from the request to the receipt
//!    ├─ wait, attempt   the first; what the handler traces is below the attempt
//!    └─ wait, attempt   the second
//! ```
//!
//! Guarantees: with no collector named no span is made; a collector that is slow or away holds up nothing,
//! spans beyond a fixed number are dropped and counted. Never does: store spans, or tell one process of
//! another's (their ids are computed from the task).

mod export;
#[cfg(feature = "otlp")]
mod otlp;
mod span;
#[cfg(test)]
mod tests;
mod tracer;

pub use export::Export;
pub use span::{Span, Step, Value};
pub use tracer::{Enqueuing, Ran, Tracer, dropped};
