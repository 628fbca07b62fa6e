//! The figures of attempts and of machines: what is counted, under which names, and what is read from the
//! counts.
//!
//! Guarantees: a counter's name is read back as the counter it was made of; what a histogram answers is
//! within a sixteenth of what was measured, or 32 µs. Never does: keep counts, or any I/O.

mod counter;
mod histogram;
mod host;
mod machine;
mod promise;
mod step;
mod summary;

pub use counter::{AttemptEnd, Attempts, Counter, MOST_COUNTERS, OTHER, Subject, WITHOUT_PLACE};
pub use histogram::{Spans, rounded};
pub use host::HostFigures;
pub use machine::{Disk, Machine, Network};
pub use promise::Starts;
pub use step::Step;
pub use summary::{KindSpans, Summary};
