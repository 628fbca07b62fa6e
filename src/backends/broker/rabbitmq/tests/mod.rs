//! Against the RabbitMQ that `tests/run` starts.

mod high;
#[cfg(unix)]
mod node;
mod recovery;

use clawpool_core::{config::Config, task::Priority};

use super::testing::{self, Rabbit, proxy};
use crate::broker::{
    Broker,
    conformance::{guarded, message},
};

crate::broker::conformance::suite!(Rabbit::fresh);

/// Some connections ask the dead node first.
#[tokio::test]
async fn a_node_that_is_gone_costs_a_cluster_no_connection() {
    let mut rabbit = Rabbit::fresh(Config::default()).await;
    rabbit.config.rabbitmq.url = format!("amqp://guest:guest@127.0.0.1:1/%2f, {}", testing::server()).into();
    for _ in 0..5 {
        let broker = rabbit.open().await;
        let published = guarded(broker.publish(vec![message(Priority::P4)])).await;
        assert!(published[0].is_ok(), "{published:?}");
    }
}
