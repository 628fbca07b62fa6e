//! Rules that many sections have: no zero, and an order of two durations.

use std::time::Duration;

use humantime::format_duration;

use super::{Key, Report};

impl Report {
    /// A duration that must not be zero.
    pub(in crate::config) fn positive(&mut self, key: impl Into<Key>, span: Duration) {
        if span.is_zero() {
            self.refuse(&key.into(), "0s", "it must be longer than zero", "write for example \"5s\"");
        }
    }

    /// A count that must not be zero.
    pub(in crate::config) fn at_least_one(&mut self, key: impl Into<Key>, count: impl Into<u64>) {
        if count.into() == 0 {
            self.refuse(&key.into(), 0, "it must be 1 or more", "write a larger number");
        }
    }

    /// Durations of which the first must not be longer.
    pub(in crate::config) fn ordered(
        &mut self,
        (small, short): (impl Into<Key>, Duration),
        (large, long): (impl Into<Key>, Duration),
    ) {
        if short > long {
            let small = small.into();
            let large = large.into();
            let rule = format!("it must not be longer than {large} ({})", format_duration(long));
            let fix = format!("shorten it, or raise {large}");
            self.conflict(&[&small, &large], format_duration(short), rule, fix);
        }
    }
}
