//! What is remembered of a task from one death to the next.

use std::time::Duration;

use super::{ALONE, BUDGET, QUICK, STEP, WHOLE, polled::Polled};

/// What a task's record remembers of the workers that died with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// Workers that died while they ran it, or ran it among others.
    pub crashes: u32,
    /// Its part in them, in parts of [`WHOLE`]: what it is judged by.
    pub(super) blame: u32,
    /// How far the search for a poison task has closed in on it. Decides which task starts first, and
    /// nothing else.
    pub(super) doubt: u8,
    /// Steps after its start in which it is the first one to be suspected.
    pub(super) window: u8,
    pub(super) polled: Polled,
}

impl Suspicion {
    /// Whether it bears more than all the deaths but one that it is allowed.
    pub const fn is_poison(self, limit: u32) -> bool {
        self.blame > Self::bearable(limit)
    }

    /// The most blame with which a task is not poison.
    pub const fn bearable(limit: u32) -> u32 {
        let most = if limit > 60 { 60 } else { limit };
        WHOLE * most.saturating_sub(1)
    }

    /// How long after its start it is the first one to be suspected.
    pub(super) fn window(self) -> Duration {
        STEP * u32::from(self.window.max(1))
    }

    /// The search has closed in on it alone.
    pub const fn is_alone(self) -> bool {
        self.doubt == ALONE && self.crashes > 1
    }

    /// How far from others it begins in the same worker. Zero: it does not matter. After one death all start
    /// at once, and at first they do so also where their window is longer than they may wait.
    pub fn apart(self) -> Duration {
        let window = self.window();
        let matters = self.crashes > QUICK || self.crashes > 1 && window <= BUDGET;
        if matters { window } else { Duration::ZERO }
    }

    /// One number for a store, beside the crashes: eight bits of what was seen, eight of window, four of
    /// doubt, the rest blame.
    pub fn packed(self) -> u32 {
        u32::from(self.polled.packed())
            | u32::from(self.window) << 8
            | u32::from(self.doubt.min(ALONE)) << 16
            | self.blame.min(0xfff) << 20
    }

    /// Reads [`Self::packed`] back, with the crashes that the store keeps beside it.
    pub const fn unpacked(crashes: u32, number: u32) -> Self {
        Self {
            crashes,
            blame: number >> 20,
            doubt: (number >> 16) as u8 & ALONE,
            window: (number >> 8) as u8,
            polled: Polled::unpacked(number as u8),
        }
    }
}
