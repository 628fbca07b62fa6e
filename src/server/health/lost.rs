use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use clawpool_backends::store::{NoteStore, StoreError};
use clawpool_core::task::Queue;

const NOTE: &str = "health/lost";

/// How long the findings of a leader that has gone are shown.
const KEPT: Duration = Duration::from_mins(10);

/// Tasks of a queue whose messages are gone: found by the leader, shown by every dispatcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub queue: Queue,
    pub tasks: u64,
}

impl Lost {
    pub(super) async fn read<S: NoteStore + ?Sized>(store: &S) -> Result<Vec<Self>, StoreError> {
        let note = store.note(NOTE).await?;
        // A note of another version is ignored.
        Ok(note.and_then(|note| serde_json::from_slice(&note).ok()).unwrap_or_default())
    }

    pub(crate) async fn write<S: NoteStore + ?Sized>(store: &S, lost: &[Self]) -> Result<(), StoreError> {
        if lost.is_empty() {
            return store.erase_note(NOTE).await.map(drop);
        }
        let note = serde_json::to_vec(lost).unwrap_or_default();
        store.put_note(None, NOTE, note.into(), Some(KEPT)).await
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks are recorded on queue {} and their messages are gone", self.tasks, self.queue)
    }
}
