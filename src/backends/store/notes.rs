//! Notes: small named values that processes leave for one another. An operator's wishes (a pause, a size),
//! the state that a leader shows, the samples that a forecast learns from.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Fence, StoreError};

#[async_trait]
pub trait NoteStore: Send + Sync + 'static {
    /// Writes a note, for `keep` or until it is erased. With a fence, only while it is the latest of its
    /// role.
    async fn put_note(
        &self,
        fence: Option<Fence>,
        name: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), StoreError>;

    async fn note(&self, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// Every note whose name begins so, by name.
    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, StoreError>;

    /// False when there was none.
    async fn erase_note(&self, name: &str) -> Result<bool, StoreError>;
}
