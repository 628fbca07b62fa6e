//! Which path the configuration asks for.

use std::sync::Arc;

use super::{Apart, Lanes, Path, PathError, RedisPath, SqlitePath};
use crate::{
    broker::{self, Broker, rabbitmq::RabbitBroker, redis::RedisBroker},
    install_tls,
    store::{self, Store, redis::RedisStore},
};
use clawpool_core::{
    config::{Backend, Config, Profile},
    task::Lane,
};

/// Everything that is kept or moved outside of this process.
#[derive(Clone)]
pub struct Servers {
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
    /// Over both.
    pub path: Arc<dyn Path>,
}

/// The path over this broker and this store, whatever they are.
pub fn over(broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Arc<dyn Path> {
    Arc::new(Apart::new(broker, store))
}

/// Connects to all that the configuration names. Only servers that a queue lives on are connected to.
pub async fn open(config: &Config) -> Result<Servers, PathError> {
    install_tls();
    match config.profile {
        Profile::Embedded => {
            let broker = broker::open(config).await?;
            let store = store::open(config).await?;
            Ok(Servers { path: Arc::new(SqlitePath::open(config).await?), broker, store })
        }
        Profile::Cluster => cluster(config).await,
    }
}

async fn cluster(config: &Config) -> Result<Servers, PathError> {
    let store = Arc::new(RedisStore::open(config).await?);
    let (brokers, redis) = brokers(config).await?;
    let broker = Arc::new(broker::Lanes::new(&config.lanes, brokers.clone())) as Arc<dyn Broker>;
    let all = Apart::new(Arc::clone(&broker), Arc::clone(&store) as _);
    let redis = redis.map(|broker| on_redis(config, broker, Arc::clone(&store), all.clone()));
    let backends = broker::Lanes::backends(&config.lanes).into_iter();
    let members = backends.zip(brokers).map(|(backend, broker)| match (backend, &redis) {
        (Backend::Redis, Some(path)) => Arc::clone(path),
        _ => over(broker, Arc::clone(&store) as _),
    });
    let members = members.collect();
    let promoter = redis.clone().unwrap_or_else(|| Arc::new(all));
    let path = Arc::new(Lanes::new(&config.lanes, members, promoter));
    Ok(Servers { broker, store, path })
}

/// One for each backend of the lanes, and the one on Redis once more.
async fn brokers(config: &Config) -> Result<(Vec<Arc<dyn Broker>>, Option<Arc<RedisBroker>>), PathError> {
    let mut redis = None;
    let mut brokers: Vec<Arc<dyn Broker>> = Vec::new();
    for backend in broker::Lanes::backends(&config.lanes) {
        brokers.push(match backend {
            Backend::Redis => Arc::clone(redis.insert(Arc::new(RedisBroker::open(config).await?))) as _,
            Backend::Rabbitmq => Arc::new(RabbitBroker::open(config).await?),
        });
    }
    Ok((brokers, redis))
}

/// Queues on Redis have their records beside them.
fn on_redis(config: &Config, broker: Arc<RedisBroker>, store: Arc<RedisStore>, all: Apart) -> Arc<dyn Path> {
    let lanes = Lane::ALL.into_iter().filter(|lane| config.lanes.backend(*lane) == Backend::Redis);
    let lanes: Vec<Lane> = lanes.collect();
    Arc::new(RedisPath::new(broker, store, &lanes, all))
}
