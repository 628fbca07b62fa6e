//! What a task is, how it is configured and what is decided about it. No I/O, apart from reading settings.

#![warn(missing_docs)]

pub mod codes;
#[cfg(feature = "sqlite")]
pub mod columns;
pub mod config;
pub mod errors;
pub mod figures;
pub mod private;
pub mod retry;
pub mod scaling;
pub mod task;
