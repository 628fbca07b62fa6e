//! The scripts. What they share is in `scripts/parts`, beside what the store
//! shares with them.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::backend::redis::{library::Library, script::scripts};

/// Entries of messages and, in the same order, their values, as scripts answer them.
pub(super) type Taken = (Vec<Bytes>, Vec<Option<Bytes>>);

/// In an order in which each speaks only of those before it.
pub(crate) const PARTS: &[&str] =
    &[include_str!("scripts/parts/queues.lua"), include_str!("scripts/parts/publishing.lua")];

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
