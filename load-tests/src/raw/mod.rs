//! The fewest operations that a durable queue can do on each broker, with nothing around them.

pub mod http;
pub mod rabbitmq;
pub mod redis;
pub mod sqlite;

use std::time::Duration;

/// Bytes of a body, as everywhere in these measurements.
pub const BODY: usize = 200;

/// How long all bodies took in, and how long they took out.
pub struct Took {
    pub put: Duration,
    pub got: Duration,
}
