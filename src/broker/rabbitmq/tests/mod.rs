//! Against the RabbitMQ that `tests/run` starts.

#[cfg(unix)]
mod node;
mod proxy;
mod recovery;

use std::sync::Arc;

use async_trait::async_trait;

use super::RabbitBroker;
use crate::{
    broker::{Broker, conformance::Fixture},
    config::Config,
};

crate::broker::conformance::suite!(Rabbit::fresh);

/// One pool's queues on the shared server, apart from every other test's by their prefix.
pub(crate) struct Rabbit {
    pub(crate) config: Config,
}

impl Rabbit {
    pub(crate) async fn fresh(mut config: Config) -> Self {
        config.rabbitmq.url = server().into();
        config.rabbitmq.prefix = format!("test-{}", uuid::Uuid::now_v7());
        Self { config }
    }

    pub(crate) async fn open(&self) -> RabbitBroker {
        RabbitBroker::open(&self.config).await.expect("RabbitMQ answers")
    }

    /// A client's plain channel, for what the broker itself never does.
    pub(crate) async fn channel(&self) -> lapin::Channel {
        let connected = lapin::Connection::connect(&server(), lapin::ConnectionProperties::default()).await;
        connected.unwrap().create_channel().await.unwrap()
    }
}

#[async_trait]
impl Fixture for Rabbit {
    async fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.open().await)
    }
}

pub(crate) fn server() -> String {
    std::env::var("CLAWPOOL_TEST_RABBITMQ").expect(
        "CLAWPOOL_TEST_RABBITMQ is not set: run tests/run, or tests/run --servers-only and export what it prints",
    )
}
