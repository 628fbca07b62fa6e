use std::time::Duration;

use bytes::Bytes;

use clawpool_backends::store::{NoteStore, StoreError};
use clawpool_core::task::ProcessId;

const INTERVAL: Duration = Duration::from_secs(5);

/// An autoscaler counts as gone when it has missed three.
const KEPT: Duration = Duration::from_secs(15);

/// The name under which workers and autoscalers register.
pub fn host() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "unknown".into())
}

/// The autoscalers of a host that have sent a heartbeat lately, the leader and the others.
pub async fn live_autoscalers<S: NoteStore + ?Sized>(
    store: &S,
    host: &str,
) -> Result<Vec<String>, StoreError> {
    let folder = folder(host);
    let notes = store.notes(&folder).await?;
    Ok(notes.into_iter().map(|(name, _)| name[folder.len()..].to_owned()).collect())
}

/// Writes this autoscaler's heartbeat every few seconds.
pub(super) async fn send_heartbeats<S: NoteStore + ?Sized>(store: &S, me: ProcessId) {
    let name = format!("{}{me}", folder(&host()));
    let mut tick = tokio::time::interval(INTERVAL);
    loop {
        tick.tick().await;
        if let Err(error) = store.put_note(None, &name, Bytes::new(), Some(KEPT)).await {
            tracing::debug!(%error, "the autoscaler's heartbeat was not written");
        }
    }
}

fn folder(host: &str) -> String {
    format!("autoscale/present/{host}/")
}
