use std::time::Duration;

use bytes::Bytes;

use clawpool_backends::store::{NoteStore, StoreError};
use clawpool_core::task::WorkerId;

const EVERY: Duration = Duration::from_secs(5);

/// Three are missed before nobody is there.
const KEPT: Duration = Duration::from_secs(15);

/// The name under which workers and autoscalers register.
pub fn host() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "unknown".into())
}

/// Autoscalers on a host that have lately been heard of, those too that wait for their turn.
pub async fn present<S: NoteStore + ?Sized>(store: &S, host: &str) -> Result<Vec<String>, StoreError> {
    let folder = folder(host);
    let notes = store.notes(&folder).await?;
    Ok(notes.into_iter().map(|(name, _)| name[folder.len()..].to_owned()).collect())
}

/// Says again and again that this one is there.
pub(super) async fn stay_present<S: NoteStore + ?Sized>(store: &S, me: WorkerId) {
    let name = format!("{}{me}", folder(&host()));
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = store.put_note(None, &name, Bytes::new(), Some(KEPT)).await {
            tracing::debug!(%error, "the store does not know that this autoscaler is there");
        }
    }
}

fn folder(host: &str) -> String {
    format!("autoscale/present/{host}/")
}
