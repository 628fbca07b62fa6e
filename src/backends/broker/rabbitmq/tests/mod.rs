//! Against the RabbitMQ that `tests/run` starts.

#[cfg(unix)]
mod node;
mod recovery;

use super::testing::{Rabbit, proxy};

crate::broker::conformance::suite!(Rabbit::fresh);
