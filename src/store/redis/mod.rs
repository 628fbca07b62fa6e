//! The Store in Redis.

pub(crate) mod link;
pub(crate) mod packed;
pub(crate) mod script;
mod server;
