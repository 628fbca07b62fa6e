//! The RabbitMQ that `tests/run` starts, for tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod proxy;

use std::sync::Arc;

use async_trait::async_trait;
use clawpool_core::{config::Config, task::Queue};
use lapin::options::BasicPublishOptions;

use self::proxy::Proxy;
use super::{RabbitBroker, Topology};
use crate::broker::{Broker, conformance::Fixture};

/// One pool's queues on the shared server. A prefix of their own keeps them apart from those of other tests.
pub struct Rabbit {
    pub config: Config,
}

impl Rabbit {
    pub async fn fresh(mut config: Config) -> Self {
        config.rabbitmq.url = server().into();
        config.rabbitmq.prefix = format!("test-{}", uuid::Uuid::now_v7());
        Self { config }
    }

    /// The same behind a proxy, with a short confirm timeout.
    pub async fn behind_proxy(config: Config) -> (Self, Proxy) {
        let mut rabbit = Self::fresh(config).await;
        let server = server();
        let (credentials, rest) = server.rsplit_once('@').unwrap();
        let (host, vhost) = rest.split_once('/').unwrap();
        let proxy = Proxy::before(host.parse().unwrap()).await;
        rabbit.config.rabbitmq.url = format!("{credentials}@{}/{vhost}", proxy.address).into();
        rabbit.config.rabbitmq.confirm_timeout = std::time::Duration::from_secs(2);
        (rabbit, proxy)
    }

    pub async fn open(&self) -> RabbitBroker {
        RabbitBroker::open(&self.config).await.expect("RabbitMQ answers")
    }

    /// A client's plain channel, for what the broker itself never does.
    pub async fn channel(&self) -> lapin::Channel {
        let connected = lapin::Connection::connect(&server(), lapin::ConnectionProperties::default()).await;
        connected.unwrap().create_channel().await.unwrap()
    }
}

#[async_trait]
impl Fixture for Rabbit {
    async fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.open().await)
    }

    async fn put_garbage(&self, queue: Queue) {
        let name = Topology::new(&self.config.rabbitmq.prefix, self.config.rabbitmq.high).queue_name(queue);
        let confirm = self.channel().await;
        confirm.confirm_select(Default::default()).await.unwrap();
        let publish = BasicPublishOptions { mandatory: true, ..Default::default() };
        let sent = confirm.basic_publish("".into(), name, publish, b"what is this?", Default::default());
        sent.await.unwrap().await.unwrap();
    }
}

pub fn server() -> String {
    std::env::var("CLAWPOOL_TEST_RABBITMQ").expect(
        "CLAWPOOL_TEST_RABBITMQ is not set: run tests/run, or tests/run --servers-only and export what it \
        prints",
    )
}
