use std::time::Duration;

use super::{Reading, Vote, reading::Way};
use crate::config::Policy;

/// One row of the table and since when its threshold has been crossed without a break.
pub(super) struct Row {
    pub(super) policy: Policy,
    since: Option<Duration>,
}

impl Row {
    pub(super) const fn new(policy: Policy) -> Self {
        Self { policy, since: None }
    }

    pub(super) fn way(&self) -> Way {
        if self.policy.add.is_some() { Way::Grow } else { Way::Shrink }
    }

    /// A reading that is missing breaks the run: what happened meanwhile is not known.
    pub(super) fn look(&mut self, now: Duration, reading: &Reading) -> Vote {
        let value = reading.of(self.policy.metric, self.way());
        let crossed = value.is_some_and(|value| self.crosses(value));
        self.since = crossed.then(|| self.since.unwrap_or(now));
        let lasting = self.since.map(|since| now.saturating_sub(since));
        let fires = lasting.is_some_and(|lasting| lasting >= self.policy.lasting);
        Vote {
            policy: self.policy.name.clone(),
            metric: Some(self.policy.metric),
            reading: value,
            lasting,
            wants: fires.then(|| self.wants(reading.size)),
        }
    }

    fn crosses(&self, value: f64) -> bool {
        self.policy.above.is_some_and(|limit| value > limit)
            || self.policy.below.is_some_and(|limit| value < limit)
    }

    const fn wants(&self, size: u32) -> u32 {
        match (self.policy.add, self.policy.remove) {
            (Some(add), _) => size.saturating_add(add),
            (None, Some(remove)) => size.saturating_sub(remove),
            (None, None) => size,
        }
    }
}
