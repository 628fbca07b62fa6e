//! Servers for tests: a Redis of one's own, and a proxy that breaks the way to it.

pub(crate) mod proxy;
pub(crate) mod server;
