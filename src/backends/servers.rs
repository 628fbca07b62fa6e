//! Connecting to the servers of a configuration.

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::path::{self, PathError, Servers};
use clawpool_core::{config::Config, retry::Backoff};

/// Connects, and waits for servers that do not answer yet: programs and servers may be started in any order.
/// Fails when a server is not fit for use, or with the last error when `stop` fires.
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
        let error = match path::open(config).await {
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
