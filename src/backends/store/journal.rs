//! The journal: what happened to the pool that people will ask about later. Crashes and restarts of workers,
//! decisions of the autoscaler, alerts and operators' changes are entries of their topics; each topic keeps
//! its latest ones and forgets the rest. Who follows it is told each entry once, or that some are forgotten.

use std::{fmt, str::FromStr};

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

    /// Of each of these topics what was appended after a place, the earliest first and at most `limit`; of
    /// one without a place nothing but where its journal ends now. One answer each, in order.
    async fn follow(
        &self,
        topics: &[(Topic, Option<Place>)],
        limit: usize,
    ) -> Result<Vec<Followed>, StoreError>;
}

/// Where an entry stands in the journal of its topic. Later ones are greater, on every process of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64, pub u64);

/// What one topic's journal has after a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    pub topic: Topic,
    pub entries: Vec<(Place, Entry)>,
    /// Entries after the place are not kept any more, or the store is not the one that the place is of.
    pub lost: bool,
    /// There are others after these.
    pub more: bool,
    /// Where to go on.
    pub next: Place,
}

/// The ends of a topic's journal, and how many entries it has; nothing where it has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    pub(super) oldest: Place,
    pub(super) newest: Place,
    pub(super) length: usize,
}

impl Extent {
    /// Whether entries after this place may be missing. A journal that was never full forgot none.
    pub(super) fn lacks(self, topic: Topic, after: Place) -> bool {
        after > self.newest || (after < self.oldest && self.length >= topic.kept())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(first, 0) => write!(f, "{first}"),
            Self(first, second) => write!(f, "{first}-{second}"),
        }
    }
}

impl FromStr for Place {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        // `parse` takes a sign as well.
        let number = |digits: &str| digits.parse().ok().filter(|_| !digits.starts_with('+'));
        let (first, second) = text.split_once('-').unwrap_or((text, "0"));
        let place = number(first).zip(number(second)).map(|(first, second)| Self(first, second));
        place.ok_or_else(|| StoreError::BadCursor(text.to_owned()))
    }
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
    /// A change that somebody asked for.
    Audit,
    /// A worker process took the place of one that had ended.
    Restart,
}

impl Topic {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Crash, Self::Scaling, Self::Alert, Self::Audit, Self::Restart];

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
            Self::Audit => "audit",
            Self::Restart => "restart",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for place in [Place(0, 0), Place(17, 0), Place(1_700_000_000_000, 3), Place(u64::MAX, u64::MAX)] {
            assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        }
        for text in ["", "-", "1-", "-1", "+1", "1-2-3", "a", "99999999999999999999"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_full_journal_can_lack_what_came_before_it() {
        let extent = |length| Extent { oldest: Place(5, 0), newest: Place(9, 0), length };
        let full = Topic::Crash.kept();
        assert!(extent(full).lacks(Topic::Crash, Place(4, 0)));
        assert!(!extent(full).lacks(Topic::Crash, Place(5, 0)));
        assert!(!extent(full - 1).lacks(Topic::Crash, Place(4, 0)));
        assert!(extent(1).lacks(Topic::Crash, Place(10, 0)), "of another store");
    }
}
