//! The scripts, and how they name priorities. What they share is in `scripts/parts`, beside what the store
//! shares with them.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::backend::redis::{library::Library, script::scripts};
use clawpool_core::task::Queue;

/// Entries of messages and, in the same order, their values, as scripts answer them.
pub(super) type Taken = (Vec<Bytes>, Vec<Option<Bytes>>);

pub(crate) const PARTS: &[&str] = &[include_str!("scripts/parts/queues.lua")];

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::shared(PARTS));

scripts! { LIBRARY:
    ACKNOWLEDGE = "scripts/acknowledge.lua";
    DEPTH = "scripts/depth.lua";
    FETCH = "scripts/fetch.lua";
    HOLDS = "scripts/holds.lua";
    PUBLISH = "scripts/publish.lua";
    RECLAIM = "scripts/reclaim.lua";
    RELEASE = "scripts/release.lua";
    REREAD = "scripts/reread.lua";
    RESTORE = "scripts/restore.lua";
    RING = "scripts/ring.lua";
    TAKE_EXPIRED = "scripts/take_expired.lua";
}

/// The digits of a queue's priorities, most urgent first, as scripts read them.
pub(crate) const fn priorities(queue: Queue) -> &'static str {
    match queue {
        Queue::P0 => "0",
        Queue::P1 => "1",
        Queue::High => "23",
        Queue::P4 => "4",
        Queue::P5 => "5",
        Queue::Background => "6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_the_queues_priorities() {
        for queue in Queue::ALL {
            let digits: String = queue.priorities().map(|priority| priority.index().to_string()).collect();
            assert_eq!(priorities(queue), digits);
        }
    }
}
