use std::sync::Arc;

use async_trait::async_trait;

use super::RedisStore;
use crate::{
    config::Config,
    store::{Store, conformance::Fixture},
};

pub(crate) mod server;

/// A prefix of its own on the tests' server.
struct OnRedis(Config);

async fn open(config: Config) -> OnRedis {
    OnRedis(server::on_shared(config))
}

#[async_trait]
impl Fixture for OnRedis {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(RedisStore::open(&self.0).await.expect("Redis is there"))
    }
}

mod conformance {
    crate::store::conformance::suite!(super::open);
}
mod outage;
mod own;
mod unwilling;
