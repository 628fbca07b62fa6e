//! One task that a dead worker ran, and what comes of the death for it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::Suspicion;
use crate::task::TaskId;

/// A task that a dead worker ran, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Which task.
    pub id: TaskId,
    /// How long it had run when the worker died.
    pub age: Duration,
    /// What was remembered of it before this death.
    pub suspicion: Suspicion,
}

/// What comes of a death for one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What is remembered of it from now on.
    pub suspicion: Suspicion,
    /// It may start again so long after its worker's death.
    pub wait: Duration,
}

impl Member {
    /// It has been through a death before.
    pub(super) const fn is_known(&self) -> bool {
        self.suspicion.crashes > 0
    }

    /// It had only just started.
    pub(super) fn is_young(&self) -> bool {
        self.age <= self.suspicion.window()
    }

    /// Whether it may be to blame: some had only just started, or else those did it that died most often.
    pub(super) fn may_have(&self, young: bool, most: u32) -> bool {
        if young { self.is_young() } else { self.suspicion.crashes == most }
    }

    /// Its place among others, another one after each death.
    pub(super) fn draw(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.id.as_bytes(), self.suspicion.crashes).hash(&mut hasher);
        hasher.finish()
    }

    /// One death more, and this share of it.
    pub(super) const fn consequence(&self, after: Suspicion, share: u32, wait: Duration) -> Consequence {
        let crashes = after.crashes.saturating_add(1);
        let blame = after.blame.saturating_add(share);
        Consequence { suspicion: Suspicion { crashes, blame, ..after }, wait }
    }
}
