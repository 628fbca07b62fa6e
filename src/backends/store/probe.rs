use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::NoteStore;

/// Whether the store takes writes. A full disk, a full memory, or a lock that is held lets a store be read
/// and not written: then no worker can beat, and all look dead. So a process that doubts a worker writes
/// something first.
pub async fn takes_writes<S: NoteStore + ?Sized>(store: &S, who: &str, lease: Duration) -> bool {
    let note = format!("supervise/probe/{who}");
    let written = timeout(lease / 4, store.put_note(None, &note, Bytes::new(), Some(lease))).await;
    written.is_ok_and(|written| written.is_ok())
}
