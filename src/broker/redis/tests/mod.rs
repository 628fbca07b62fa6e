use std::sync::Arc;

use async_trait::async_trait;

use super::RedisBroker;
use crate::{
    broker::{Broker, conformance::Fixture},
    config::Config,
    store::redis::tests::server::on_shared,
};

/// A prefix of its own on the tests' server.
struct OnRedis(Config);

async fn open(config: Config) -> OnRedis {
    OnRedis(on_shared(config))
}

#[async_trait]
impl Fixture for OnRedis {
    async fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(RedisBroker::open(&self.0).await.expect("Redis is there"))
    }
}

mod conformance {
    crate::broker::conformance::suite!(super::open);
}
mod own;
