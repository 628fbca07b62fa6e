//! Redis: one connection that mends itself, scripts, and what its errors mean.

pub(crate) mod link;
pub(crate) mod packed;
pub(crate) mod pulse;
pub(crate) mod script;
mod server;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod trouble;
