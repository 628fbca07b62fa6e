//! The suite on every composition.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{
    Apart, Path, RedisPath, Servers, SqlitePath,
    conformance::{self, Fixture, recovery, scheduling},
};
use crate::{
    backend::{redis::testing::server::on_shared, sqlite::Database},
    broker::{
        Broker,
        conformance::small,
        rabbitmq::{RabbitBroker, testing::Rabbit},
        redis::RedisBroker,
        sqlite::SqliteBroker,
        testing::TestBroker,
    },
    store::{Store, conformance::queues, redis::RedisStore, sqlite::SqliteStore},
};
use clawpool_core::config::{Config, Synchronous};

#[derive(Clone, Copy, PartialEq)]
enum On {
    Sqlite,
    Redis,
    Rabbitmq,
}

/// Any broker beside any store.
struct Composition {
    broker: On,
    store: On,
    together: bool,
    config: Config,
    /// RabbitMQ 3 ends a connection that consumes a queue which it has only begun to make for another one.
    made: OnceCell<()>,
    _folder: TempDir,
}

async fn composition(config: Config, broker: On, store: On) -> Composition {
    let servers = [broker, store];
    let mut config = if servers.contains(&On::Redis) { on_shared(config) } else { config };
    if broker == On::Rabbitmq {
        config = Rabbit::fresh(config).await.config;
    }
    let folder = TempDir::new().unwrap();
    config.embedded.data = folder.path().into();
    config.embedded.synchronous = Synchronous::Normal;
    Composition { broker, store, together: false, config, made: OnceCell::new(), _folder: folder }
}

async fn make_queues(broker: &dyn Broker) {
    for queue in queues() {
        broker.depth(queue).await.unwrap();
    }
}

#[async_trait]
impl Fixture for Composition {
    async fn servers(&self) -> Servers {
        let config = &self.config;
        // As in a process, broker and store share the handle on their file.
        let file = match [self.broker, self.store].contains(&On::Sqlite) {
            true => Some(Database::open(config).await.unwrap()),
            false => None,
        };
        let file = || Arc::clone(file.as_ref().expect("one of them is on SQLite"));
        let broker: Arc<dyn Broker> = match self.broker {
            On::Sqlite => Arc::new(SqliteBroker::on(file(), config)),
            On::Redis => Arc::new(RedisBroker::open(config).await.expect("Redis is there")),
            On::Rabbitmq => Arc::new(RabbitBroker::open(config).await.expect("RabbitMQ is there")),
        };
        if self.broker == On::Rabbitmq {
            self.made.get_or_init(async || make_queues(&*broker).await).await;
        }
        let store: Arc<dyn Store> = match self.store {
            On::Sqlite => Arc::new(SqliteStore::on(file(), config)),
            On::Redis => Arc::new(RedisStore::open(config).await.expect("Redis is there")),
            On::Rabbitmq => unreachable!("RabbitMQ is no store"),
        };
        let path: Arc<dyn Path> = match self.together {
            true => Arc::new(SqlitePath::on(file(), config)),
            false => Arc::new(Apart::new(Arc::clone(&broker), Arc::clone(&store))),
        };
        Servers { broker, store, path }
    }
}

macro_rules! composed {
    ($name:ident: $broker:ident, $store:ident) => {
        mod $name {
            use super::*;

            async fn open(config: Config) -> Composition {
                composition(config, On::$broker, On::$store).await
            }

            crate::path::conformance::suite!(open);
        }
    };
}

/// Queue and record on one Redis.
mod together_on_redis {
    use clawpool_core::task::{Lane, Queue};

    use super::*;

    struct OneRedis(Config);

    #[async_trait]
    impl Fixture for OneRedis {
        async fn servers(&self) -> Servers {
            let broker = Arc::new(RedisBroker::open(&self.0).await.unwrap());
            let store = Arc::new(RedisStore::open(&self.0).await.unwrap());
            let apart = Apart::new(Arc::clone(&broker) as _, Arc::clone(&store) as _);
            let redis = RedisPath::new(Arc::clone(&broker), Arc::clone(&store), &Lane::ALL, apart);
            let path = Arc::new(redis);
            Servers { broker, store, path }
        }
    }

    async fn open(config: Config) -> OneRedis {
        OneRedis(on_shared(config))
    }

    /// The critical lane on Redis, and the others on a broker that is away.
    struct OneLane(Config);

    #[async_trait]
    impl Fixture for OneLane {
        async fn servers(&self) -> Servers {
            let broker = Arc::new(RedisBroker::open(&self.0).await.unwrap());
            let store = Arc::new(RedisStore::open(&self.0).await.unwrap());
            let away = TestBroker::default();
            away.state().away = true;
            let others = Apart::new(Arc::new(away), Arc::clone(&store) as _);
            let lanes = [Lane::Critical];
            let path = Arc::new(RedisPath::new(Arc::clone(&broker), Arc::clone(&store), &lanes, others));
            Servers { broker, store, path }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn inv_4_what_cannot_be_promoted_holds_up_no_urgent_task() {
        let mut config = conformance::config("");
        config.queues.push(small(Queue::P1));
        let fixture = OneLane(on_shared(config));
        let case = scheduling::what_cannot_be_promoted_holds_up_no_urgent_task(&fixture);
        conformance::guarded(case).await;
    }

    crate::path::conformance::suite!(open);
}

composed!(apart_on_sqlite: Sqlite, Sqlite);
composed!(apart_on_redis: Redis, Redis);
composed!(apart_on_rabbitmq_and_redis: Rabbitmq, Redis);
composed!(apart_on_rabbitmq_and_sqlite: Rabbitmq, Sqlite);

mod together_on_sqlite {
    use super::*;

    async fn open(config: Config) -> Composition {
        Composition { together: true, ..composition(config, On::Sqlite, On::Sqlite).await }
    }

    crate::path::conformance::suite!(open);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn inv_1_what_the_path_of_the_version_before_left_is_taken_over() {
        let after = open(conformance::config("")).await;
        let config = after.config.clone();
        let folder = TempDir::new().unwrap();
        let before = Composition {
            broker: On::Sqlite,
            store: On::Sqlite,
            together: false,
            config,
            made: OnceCell::new(),
            _folder: folder,
        };
        let case = recovery::inv_1_what_another_path_left_is_taken_over(&before, &after);
        conformance::guarded(case).await;
    }
}
