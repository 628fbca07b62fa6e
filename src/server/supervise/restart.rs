//! When the worker of a replica is started again. Pure: the time is handed in, and only its differences
//! count.

use std::{collections::VecDeque, time::Duration};

use rand::Rng;
use tokio::time::Instant;

use clawpool_core::{
    config::{Restart, RestartPolicy},
    retry::Backoff,
};

/// The starts and faults of one replica.
#[derive(Clone, Debug)]
pub(super) struct Restarts {
    rule: Restart,
    short_lives: u32,
    /// The starts that its limits still count.
    starts: VecDeque<Instant>,
    faults: VecDeque<Instant>,
    /// The breaker has opened, and no worker since was healthy.
    tripped: bool,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// `None`: the program could not be started.
    pub lived: Option<Duration>,
    /// It had come so far as to register.
    pub registered: bool,
    /// It had tasks in flight. They answer for its death (INV-3 ends those that kill workers), so it is no
    /// fault.
    pub busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStart {
    After(Duration, WaitReason),
    /// Until an operator asks for it.
    Held,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitReason {
    Policy,
    /// Its limits are used up.
    Limit,
    /// The breaker is open.
    Breaker,
}

impl Restarts {
    /// A worker that ran for so long was healthy.
    const WELL: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    pub(super) fn new(rule: Restart) -> Self {
        Self { rule, short_lives: 0, starts: VecDeque::new(), faults: VecDeque::new(), tripped: false }
    }

    pub(super) fn after(&mut self, death: Death, now: Instant, rng: &mut impl Rng) -> NextStart {
        match self.rule.policy {
            RestartPolicy::None => return NextStart::Never,
            RestartPolicy::Manual => return NextStart::Held,
            _ => {}
        }
        if death.lived.is_some_and(|lived| lived >= Self::WELL) {
            self.short_lives = 0;
            self.tripped = false;
        }
        let open = self.count_fault(death, now);
        let waits = [
            (self.backoff(death, rng), WaitReason::Policy),
            (self.until_allowed(now), WaitReason::Limit),
            (open.unwrap_or_default(), WaitReason::Breaker),
        ];
        let (wait, why) = waits
            .into_iter()
            .fold((Duration::ZERO, WaitReason::Policy), |a, b| if b.0 > a.0 { b } else { a });
        self.starts.push_back(now + wait);
        NextStart::After(wait, why)
    }

    /// Forgets everything, as after the program was repaired.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.rule.clone());
    }

    /// Counts a fault; answers how long the breaker is open when this one has opened it.
    fn count_fault(&mut self, death: Death, now: Instant) -> Option<Duration> {
        let short = death.lived.is_none_or(|lived| lived < Self::WELL);
        if death.busy || (death.registered && !short) {
            return None;
        }
        let breaker = &self.rule.breaker;
        self.faults.retain(|at| now.saturating_duration_since(*at) < breaker.window);
        self.faults.push_back(now);
        // The first one after it was open tells that nothing is better.
        if !self.tripped && self.faults.len() < breaker.failures as usize {
            return None;
        }
        self.tripped = true;
        self.faults.clear();
        Some(breaker.open)
    }

    fn backoff(&mut self, death: Death, rng: &mut impl Rng) -> Duration {
        let initial = self.rule.initial();
        let max = self.rule.max();
        // What just proved impossible is not tried at once.
        let free = self.rule.policy == RestartPolicy::Immediate && death.lived.is_some();
        let step = match self.rule.policy {
            // What it ran waits for its successor.
            RestartPolicy::Immediate if death.busy && free => return Duration::ZERO,
            RestartPolicy::Delayed => return initial,
            RestartPolicy::Immediate if self.short_lives == 0 && free => None,
            RestartPolicy::Immediate => Some(self.short_lives.saturating_sub(1)),
            _ => Some(self.short_lives),
        };
        self.short_lives = self.short_lives.saturating_add(1);
        let Some(step) = step else { return Duration::ZERO };
        // Half of it at random: workers that fell together do not rise together, and none rises at once for
        // ever.
        let backoff = Backoff::new(initial, max).map(|backoff| backoff.factor(self.rule.factor).jitter(0.5));
        backoff.map_or(max, |backoff| backoff.wait(step, rng))
    }

    /// Until both limits allow another start.
    fn until_allowed(&mut self, now: Instant) -> Duration {
        let window = self.rule.window;
        let hour = self.rule.per_hour();
        let longest = if hour.is_some() { window.max(Self::HOUR) } else { window };
        self.starts.retain(|at| now.saturating_duration_since(*at) < longest);
        let limits = [Some((self.rule.limit, window)), hour.map(|limit| (limit, Self::HOUR))];
        let free_at = |(limit, span): (u32, Duration)| {
            // The start that must be out of the window before there is room for one more.
            let at = self.starts.len().checked_sub(limit as usize)?;
            Some((*self.starts.get(at)? + span).saturating_duration_since(now))
        };
        limits.into_iter().flatten().filter_map(free_at).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
