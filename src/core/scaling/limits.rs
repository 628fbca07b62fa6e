use std::{collections::VecDeque, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

/// What the pool did lately, for cooldowns and the rate.
#[derive(Default)]
pub(super) struct Past {
    grown: VecDeque<(Duration, u32)>,
    last_grown: Option<Duration>,
    last_shrunk: Option<Duration>,
    last_replaced: Option<Duration>,
}

impl Past {
    /// How many workers may still be added in this minute.
    pub(super) fn left(&mut self, now: Duration, per_minute: u32) -> u32 {
        while self.grown.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= MINUTE) {
            self.grown.pop_front();
        }
        let used = self.grown.iter().fold(0_u32, |sum, (_, by)| sum.saturating_add(*by));
        per_minute.saturating_sub(used)
    }

    pub(super) fn may_grow(&self, now: Duration, cooldown: Duration) -> bool {
        is_over(self.last_grown, now, cooldown)
    }

    pub(super) fn may_shrink(&self, now: Duration, cooldown: Duration) -> bool {
        is_over(self.last_shrunk, now, cooldown)
    }

    pub(super) fn may_replace(&self, now: Duration, cooldown: Duration) -> bool {
        is_over(self.last_replaced, now, cooldown)
    }

    pub(super) fn grew(&mut self, now: Duration, by: u32) {
        self.grown.push_back((now, by));
        self.last_grown = Some(now);
    }

    pub(super) const fn shrank(&mut self, now: Duration) {
        self.last_shrunk = Some(now);
    }

    pub(super) const fn replaced(&mut self, now: Duration) {
        self.last_replaced = Some(now);
    }
}

fn is_over(last: Option<Duration>, now: Duration, cooldown: Duration) -> bool {
    last.is_none_or(|last| now.saturating_sub(last) >= cooldown)
}
