use std::sync::Arc;

use async_trait::async_trait;
use redis::cmd;

use super::RedisBroker;
use crate::{
    backend::redis::{
        link::Link,
        packed,
        testing::server::{Server, on_shared},
    },
    broker::{
        Broker, Consumer, Delivery, Receipt,
        conformance::{Fixture, eventually},
    },
};
use clawpool_core::{
    config::Config,
    task::{Message, Queue, TaskId},
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

    async fn put_garbage(&self, queue: Queue) {
        put_garbage(&self.0, queue, &["", "?", "what is this, and what is it for?"]).await;
    }
}

/// Puts entries of these values, which are no messages, at the end of a queue; `""` stands for none.
async fn put_garbage(config: &Config, queue: Queue, values: &[&str]) -> Vec<TaskId> {
    let link = Link::open(&config.redis).await.unwrap();
    let base = link.base();
    let n = queue.priority().index();
    let mut ids = Vec::new();
    for value in values {
        let id = TaskId::new();
        let entry = packed::entry(id, 0);
        if !value.is_empty() {
            let () = link
                .send(cmd("HSET").arg(format!("{base}:m:{n}")).arg(&entry[..]).arg(*value))
                .await
                .unwrap();
        }
        let () = link.send(cmd("LPUSH").arg(format!("{base}:q:{n}")).arg(&entry[..])).await.unwrap();
        ids.push(id);
    }
    let () = link.send(cmd("LPUSH").arg(format!("{base}:q:{n}")).arg("what is this?")).await.unwrap();
    ids
}

mod conformance {
    crate::broker::conformance::suite!(super::open);
}
mod lost;
mod outage;
mod own;
mod silence;

async fn publish(broker: &RedisBroker, messages: &[Message]) {
    for answer in broker.publish(messages.to_vec()).await {
        answer.unwrap();
    }
}

/// Calls again after passing errors, as the contract says.
async fn take(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(consumer.next(count - all.len()).await.unwrap_or_default());
    }
    all
}

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

/// Until that many connections wait in a blocking command.
async fn blocked(server: &Server, count: usize) {
    let field = format!("blocked_clients:{count}\r");
    eventually(async || {
        server.ask::<String>("INFO", &["clients"]).await.is_some_and(|info| info.contains(&field))
    })
    .await;
}
