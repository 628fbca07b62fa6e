//! The journal: what happened to the pool that people will ask about later. Crashes and restarts of workers,
//! decisions of the autoscaler, alerts and operators' changes are entries of their topics; each topic keeps
//! its latest ones and forgets the rest.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Fence, Page, StoreError};
use clawpool_core::task::Timestamp;

#[async_trait]
pub trait JournalStore: Send + Sync + 'static {
    /// Appends entries, in order. With a fence, only while it is the latest of its role.
    async fn append(&self, fence: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError>;

    /// Latest first; of one subject alone when it is named.
    async fn journal(
        &self,
        topic: Topic,
        subject: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Entry>, StoreError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A worker process ended that should not have.
    Crash,
    /// A decision of the autoscaler that changed something, or would have.
    Scaling,
    /// What a person should know.
    Alert,
    /// A worker process took the place of one that had ended.
    Restart,
    /// A change that somebody asked for.
    Audit,
}

impl Topic {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Crash, Self::Scaling, Self::Alert, Self::Restart, Self::Audit];

    /// Entries kept of it, at least; the oldest go first.
    pub const fn kept(self) -> usize {
        match self {
            Self::Crash | Self::Scaling | Self::Alert | Self::Restart => 2_000,
            Self::Audit => 10_000,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Scaling => "scaling",
            Self::Alert => "alert",
            Self::Restart => "restart",
            Self::Audit => "audit",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub topic: Topic,
    pub at: Timestamp,
    /// What it is about: the pool's name; of a change, what was changed.
    pub subject: String,
    pub body: serde_json::Value,
}
