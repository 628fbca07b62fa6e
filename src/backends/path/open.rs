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

/// Queues on Redis have their records beside them.
async fn cluster(config: &Config) -> Result<Servers, PathError> {
    let store = Arc::new(RedisStore::open(config).await?);
    let mut brokers: Vec<Arc<dyn Broker>> = Vec::new();
    let mut paths: Vec<Arc<dyn Path>> = Vec::new();
    for backend in broker::Lanes::backends(&config.lanes) {
        match backend {
            Backend::Redis => {
                let broker = Arc::new(RedisBroker::open(config).await?);
                let lanes = Lane::ALL.into_iter().filter(|lane| config.lanes.backend(*lane) == backend);
                let lanes: Vec<Lane> = lanes.collect();
                paths.push(Arc::new(RedisPath::new(Arc::clone(&broker), Arc::clone(&store), &lanes)));
                brokers.push(broker);
            }
            Backend::Rabbitmq => {
                let broker = Arc::new(RabbitBroker::open(config).await?) as Arc<dyn Broker>;
                paths.push(over(Arc::clone(&broker), Arc::clone(&store) as _));
                brokers.push(broker);
            }
        }
    }
    let broker = Arc::new(broker::Lanes::new(&config.lanes, brokers)) as Arc<dyn Broker>;
    // Due tasks of all lanes are in one set.
    let all = Apart::new(Arc::clone(&broker), Arc::clone(&store) as _);
    let path = Arc::new(Lanes::new(&config.lanes, paths, all));
    Ok(Servers { broker, store, path })
}
