use std::time::Duration;

use tokio::time::timeout;

use super::Alert;
use clawpool_backends::store::{Store, StoreError, Topic};

/// A worker's own alert: other workers have the same trouble, and one alert is enough.
const QUIET: Duration = Duration::from_secs(600);
/// Entries of the journal in which it is looked for.
const LOOK: usize = 50;
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes the alert, unless the same one was written for this subject within the last ten minutes.
pub async fn raise(store: &dyn Store, subject: &str, alert: &Alert) {
    match timeout(PATIENCE, append(store, subject, alert)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(code = error.code(), %error, "an alert could not be written"),
        Err(_) => tracing::warn!("an alert could not be written: no answer within {PATIENCE:?}"),
    }
}

async fn append(store: &dyn Store, subject: &str, alert: &Alert) -> Result<(), StoreError> {
    let entry = alert.entry(subject);
    let latest = store.journal(Topic::Alert, Some(subject), None, LOOK).await?;
    let known = latest.items.iter().any(|old| old.body == entry.body && entry.at.since(old.at) < QUIET);
    if known { Ok(()) } else { store.append(None, &[entry]).await }
}
