//! Redis: one connection that mends itself, scripts, and what its errors mean.

pub(crate) mod error;
pub mod inspect;
pub(crate) mod layout;
pub(crate) mod library;
pub mod link;
pub mod packed;
pub(crate) mod pulse;
pub(crate) mod queue_name;
pub(crate) mod script;
mod server;
#[cfg(any(test, feature = "conformance"))]
pub mod testing;

pub use error::LinkError;
