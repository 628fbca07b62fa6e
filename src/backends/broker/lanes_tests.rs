//! Lanes over two brokers that need no server. To the outside they are one broker like any other.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Broker, Lanes,
    conformance::{Fixture, guarded, message, small},
    sqlite::{SqliteBroker, tests::put_garbage},
};
use clawpool_core::{
    config::{Backend, Config, QueueSettings},
    task::{Priority, Queue},
};

super::conformance::suite!(Pair::fresh);

/// Two files, one in the place of each server.
struct Pair {
    config: Config,
    folder: tempfile::TempDir,
}

impl Pair {
    async fn fresh(config: Config) -> Self {
        Self { config, folder: tempfile::tempdir().unwrap() }
    }

    async fn member(&self, backend: Backend) -> Arc<dyn Broker> {
        let mut config = self.config.clone();
        config.embedded.data = self.folder.path().join(format!("{backend:?}"));
        Arc::new(SqliteBroker::open(&config).await.unwrap())
    }
}

#[async_trait]
impl Fixture for Pair {
    async fn broker(&self) -> Arc<dyn Broker> {
        let mut members = Vec::new();
        for backend in Lanes::backends(&self.config.lanes) {
            members.push(self.member(backend).await);
        }
        Arc::new(Lanes::new(&self.config.lanes, members))
    }

    async fn put_garbage(&self, queue: Queue) {
        let mut config = self.config.clone();
        config.embedded.data =
            self.folder.path().join(format!("{:?}", self.config.lanes.backend(queue.lane())));
        put_garbage(&config, queue).await;
    }
}

#[tokio::test]
async fn each_queue_lives_where_the_configuration_puts_its_lane() {
    guarded(async {
        let pair = Pair::fresh(Config::default()).await;
        let lanes = pair.broker().await;
        // Mixed, so that the batch must be taken apart and its answers put together again.
        let mixed = [Priority::P4, Priority::P0, Priority::P2, Priority::P1, Priority::P6];
        assert!(lanes.publish(mixed.map(message).into()).await.iter().all(Result::is_ok));
        for (backend, at_home) in [
            (Backend::Redis, &[Queue::P0, Queue::P1][..]),
            (Backend::Rabbitmq, &[Queue::P2, Queue::P4, Queue::P6]),
        ] {
            let member = pair.member(backend).await;
            for queue in Queue::CLASSES {
                let expected = u64::from(at_home.contains(&queue));
                assert_eq!(member.depth(queue).await.unwrap().ready, expected, "{queue} on {backend:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn answers_keep_the_order_of_the_batch() {
    guarded(async {
        let mut config = Config::default();
        config.queues.push(QueueSettings { limit: Some(0), ..small(Queue::P0) });
        let lanes = Pair::fresh(config).await.broker().await;
        let mixed = [Priority::P4, Priority::P0, Priority::P2, Priority::P0, Priority::P1];
        let answers = lanes.publish(mixed.map(message).into()).await;
        let taken: Vec<_> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(taken, [true, false, true, false, true]);
    })
    .await;
}

#[test]
fn only_backends_that_carry_a_lane_are_named() {
    let mut lanes = Config::default().lanes;
    assert_eq!(Lanes::backends(&lanes), [Backend::Redis, Backend::Rabbitmq]);
    lanes.critical = Backend::Rabbitmq;
    assert_eq!(Lanes::backends(&lanes), [Backend::Rabbitmq]);
}
