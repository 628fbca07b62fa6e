use std::sync::Arc;

use async_trait::async_trait;

use redis::cmd;

use super::{RedisStore, link::Link, record};
use crate::{
    config::Config,
    store::{Store, conformance::Fixture},
    task::TaskId,
};

pub(crate) mod proxy;
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

    async fn garble(&self, id: TaskId) {
        let link = Link::open(&self.0.redis).await.unwrap();
        // Of each second task the state still looks right.
        let bytes: &[u8] = if id.as_bytes()[15].is_multiple_of(2) { b"Q\0\0" } else { b"\x17 what is this?" };
        let () = link.send(cmd("SET").arg(record::key(link.base(), id)).arg(bytes)).await.unwrap();
    }
}

mod conformance {
    crate::store::conformance::suite!(super::open);
}
mod outage;
mod own;
mod silence;
mod unwilling;
