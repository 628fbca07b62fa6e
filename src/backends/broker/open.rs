use std::sync::Arc;

use super::{Broker, BrokerError, Lanes, rabbitmq::RabbitBroker, redis::RedisBroker, sqlite::SqliteBroker};
use crate::install_tls;
use clawpool_core::config::{Backend, Config, Profile};

/// The broker that the configuration asks for. Only servers that a queue lives on are connected to.
pub async fn open(config: &Config) -> Result<Arc<dyn Broker>, BrokerError> {
    install_tls();
    match config.profile {
        Profile::Embedded => Ok(Arc::new(SqliteBroker::open(config).await?)),
        Profile::Cluster => {
            let mut members = Vec::new();
            for backend in Lanes::backends(&config.lanes) {
                members.push(member(config, backend).await?);
            }
            Ok(Arc::new(Lanes::new(&config.lanes, members)))
        }
    }
}

async fn member(config: &Config, backend: Backend) -> Result<Arc<dyn Broker>, BrokerError> {
    Ok(match backend {
        Backend::Redis => Arc::new(RedisBroker::open(config).await?),
        Backend::Rabbitmq => Arc::new(RabbitBroker::open(config).await?),
    })
}
