use std::sync::Arc;

use async_trait::async_trait;

use super::RedisBroker;
use crate::{
    broker::{
        Broker, Consumer, Delivery, Receipt,
        conformance::{Fixture, eventually},
    },
    config::Config,
    store::redis::tests::server::{Server, on_shared},
    task::Message,
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
    eventually(async || server.ask::<String>("INFO", &["clients"]).await.is_some_and(|info| info.contains(&field)))
        .await;
}
