//! Up to where the windows of each step are summed up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use clawpool_backends::store::{Fence, Store, StoreError};
use clawpool_core::{figures::Step, task::Timestamp};

/// The notes that tell it: of attempts, and of machines.
pub(super) const ATTEMPTS: &str = "figures.summed";
pub(super) const HOSTS: &str = "figures.hosts.summed";

/// Where the next window of each step begins that is to be summed up, by the step's name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Summed(BTreeMap<String, Timestamp>);

impl Summed {
    pub(super) async fn read(store: &dyn Store, note: &str) -> Result<Self, StoreError> {
        let note = store.note(note).await?;
        Ok(note.and_then(|note| serde_json::from_slice(&note).ok()).unwrap_or_default())
    }

    pub(super) async fn write(&self, store: &dyn Store, note: &str, fence: Fence) -> Result<(), StoreError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        store.put_note(Some(fence), note, text.into(), None).await
    }

    /// Never before what the finer step still has whole.
    pub(super) fn next(&self, step: Step, finer: Step, now: Timestamp) -> Timestamp {
        let kept = u64::try_from(finer.kept().as_millis()).unwrap_or(u64::MAX);
        let oldest =
            step.window(Timestamp::from_millis(now.as_millis().saturating_sub(kept))) + step.length();
        self.0.get(step.name()).map_or(oldest, |next| oldest.max(*next))
    }

    /// Up to where windows of this step are whole; none where none ever were.
    pub(super) fn end(&self, step: Step) -> Option<Timestamp> {
        self.0.get(step.name()).copied()
    }

    pub(super) fn set(&mut self, step: Step, next: Timestamp) {
        self.0.insert(step.name().to_owned(), next);
    }

    /// Whether all of this window is in windows of its step.
    pub(super) fn has(&self, step: Step, at: Timestamp) -> bool {
        step.finer().is_none() || self.0.get(step.name()).is_some_and(|next| at < *next)
    }
}
