//! Servers for tests: a Redis of one's own, and a proxy that breaks the way to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod proxy;
pub mod server;
