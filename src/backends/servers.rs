use std::sync::Arc;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{self, Broker},
    path::{self, Path, PathError, SqlitePath},
    store::{self, Store},
};
use clawpool_core::{
    config::{Config, Profile},
    retry::Backoff,
};

/// Everything that is kept or moved outside of this process.
#[derive(Clone)]
pub struct Servers {
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
    /// Over both, or in their one file.
    pub path: Arc<dyn Path>,
}

/// Opens broker and store, and waits for servers that do not answer yet: programs and servers may be started
/// in any order. Fails when a server is not fit for use, or with the last error when `stop` fires.
pub async fn connect(config: &Config, stop: &CancellationToken) -> Result<Servers, PathError> {
    connect_and_tell(config, stop, |_| ()).await
}

/// The same, and tells meanwhile what it waits for.
pub async fn connect_and_tell(
    config: &Config,
    stop: &CancellationToken,
    tell: impl Fn(&PathError),
) -> Result<Servers, PathError> {
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

pub async fn open(config: &Config) -> Result<Servers, PathError> {
    let broker = broker::open(config).await?;
    let store = store::open(config).await?;
    let path: Arc<dyn Path> = match config.profile {
        Profile::Embedded => Arc::new(SqlitePath::open(config).await?),
        Profile::Cluster => path::over(Arc::clone(&broker), Arc::clone(&store)),
    };
    Ok(Servers { broker, store, path })
}
