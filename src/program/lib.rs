//! The operator's commands and the machine's service.

pub mod cli;
pub mod doctor;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod service;
