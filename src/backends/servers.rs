use std::sync::Arc;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{self, Broker, BrokerError},
    store::{self, Store, StoreError},
};
use clawpool_core::{config::Config, retry::Backoff};

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConnectError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Broker(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// The server that it is about.
    pub fn server(&self) -> String {
        match self {
            Self::Broker(
                BrokerError::Unavailable { broker, .. }
                | BrokerError::Blocked { broker, .. }
                | BrokerError::Unconfirmed { broker, .. }
                | BrokerError::Refused { broker, .. },
            ) => (*broker).to_owned(),
            Self::Store(
                StoreError::Unavailable { store, .. }
                | StoreError::Corrupt { store, .. }
                | StoreError::Refused { store, .. },
            ) => (*store).to_owned(),
            Self::Broker(_) => "the broker".to_owned(),
            Self::Store(_) => "the store".to_owned(),
        }
    }

    const fn is_retryable(&self) -> bool {
        match self {
            Self::Broker(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
        }
    }
}

/// Opens broker and store, and waits for servers that do not answer yet: programs and servers may be started
/// in any order. Fails when a server is not fit for use, or with the last error when `stop` fires.
pub async fn connect(config: &Config, stop: &CancellationToken) -> Result<Servers, ConnectError> {
    connect_and_tell(config, stop, |_| ()).await
}

pub type Servers = (Arc<dyn Broker>, Arc<dyn Store>);

/// The same, and tells meanwhile what it waits for.
pub async fn connect_and_tell(
    config: &Config,
    stop: &CancellationToken,
    tell: impl Fn(&ConnectError),
) -> Result<Servers, ConnectError> {
    let mut waits = Backoff::millis::<200, 1_000>().waits();
    loop {
        let error = match open(config).await {
            Err(error) if error.is_retryable() => error,
            opened => return opened,
        };
        tracing::warn!(code = error.code(), %error, "waiting for the servers");
        tell(&error);
        if stop.run_until_cancelled(time::sleep(waits.after_failure())).await.is_none() {
            return Err(error);
        }
    }
}

async fn open(config: &Config) -> Result<Servers, ConnectError> {
    Ok((broker::open(config).await?, store::open(config).await?))
}
