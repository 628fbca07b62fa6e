use std::sync::Arc;

use async_trait::async_trait;

use redis::cmd;

use super::{RedisStore, record};
use crate::{
    backend::redis::{link::Link, packed, testing::server},
    store::{
        Store,
        conformance::{Fixture, Garbled},
    },
};
use clawpool_core::{config::Config, task::TaskId};

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

    async fn garble(&self, what: Garbled) {
        let link = Link::open(&self.0.redis).await.unwrap();
        let base = link.base();
        let set =
            |key: Vec<u8>, field: &[u8], value: &[u8]| cmd("HSET").arg(key).arg(field).arg(value).to_owned();
        // Of each second task it is another kind of wrong.
        let is_even = |id: TaskId| id.as_bytes()[15].is_multiple_of(2);
        let command = match what {
            Garbled::Record(id) => {
                let bytes: &[u8] = if is_even(id) { b"Q\0\0" } else { b"\x17 what is this?" };
                cmd("SET").arg(record::key(base, id)).arg(bytes).to_owned()
            }
            Garbled::Entry(id) if is_even(id) => {
                cmd("HDEL").arg(format!("{base}:sm")).arg(&packed::entry(id, 0)[..]).to_owned()
            }
            Garbled::Entry(id) => {
                set(format!("{base}:sm").into(), &packed::entry(id, 0), b"what is this, and what is it for?")
            }
            Garbled::DeadLetter(id) => set(format!("{base}:dm").into(), id.as_bytes(), b"what is this?"),
            Garbled::Journal(topic) => cmd("XADD")
                .arg(format!("{base}:j:{}", topic.name()))
                .arg(&["*", "what", "is", "this", "?"])
                .to_owned(),
            Garbled::Heartbeat(worker) => {
                set([format!("{base}:w:").as_bytes(), worker.as_bytes()].concat(), b"i", b"what is this?")
            }
        };
        let _: redis::Value = link.send(&command).await.unwrap();
    }
}

mod conformance {
    crate::store::conformance::suite!(super::open);
}
mod connections;
mod layout;
mod listing;
mod outage;
mod own;
mod silence;
mod strange;
mod unwilling;
