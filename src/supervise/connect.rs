use std::{sync::Arc, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{self, Broker, BrokerError},
    config::Config,
    store::{self, Store, StoreError},
};

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

    const fn is_retryable(&self) -> bool {
        match self {
            Self::Broker(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
        }
    }
}

/// Opens broker and store, and waits for servers that do not answer yet: programs and servers may be started in any order.
/// Fails when a server is not fit for use, or with the last error when `stop` fires.
pub async fn connect(
    config: &Config,
    stop: &CancellationToken,
) -> Result<(Arc<dyn Broker>, Arc<dyn Store>), ConnectError> {
    let mut wait = Duration::from_millis(200);
    loop {
        let error = match open(config).await {
            Err(error) if error.is_retryable() => error,
            opened => return opened,
        };
        tracing::warn!(code = error.code(), %error, "waiting for the servers");
        if stop.run_until_cancelled(time::sleep(wait)).await.is_none() {
            return Err(error);
        }
        wait = (wait * 2).min(Duration::from_secs(1));
    }
}

async fn open(config: &Config) -> Result<(Arc<dyn Broker>, Arc<dyn Store>), ConnectError> {
    Ok((broker::open(config).await?, store::open(config).await?))
}
