use std::time::Duration;

use rand::{Rng, RngExt};

/// Waits that grow from `first` up to `max`, twice as long each time unless a factor is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    factor: f64,
    /// Which share of a wait is left to chance: 0 none, 1 all of it.
    jitter: f64,
}

/// Why two waits make no backoff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBackoff {
    /// `max` is shorter than `first`.
    #[error("first is {first:?} and max is {max:?}: max must not be shorter than first")]
    Reversed {
        /// The first wait asked for.
        first: Duration,
        /// The longest wait asked for.
        max: Duration,
    },
    /// Doubling nothing never reaches `max`.
    #[error("first is zero and max is {max:?}: the waits could never grow; give first at least 1ms")]
    Stuck {
        /// The longest wait asked for.
        max: Duration,
    },
}

impl Backoff {
    pub(super) const NONE: Self =
        Self { first: Duration::ZERO, max: Duration::ZERO, factor: 2.0, jitter: 0.0 };

    /// Without jitter. `first` equal to `max` makes a fixed wait.
    pub fn new(first: Duration, max: Duration) -> Result<Self, BadBackoff> {
        if first > max {
            return Err(BadBackoff::Reversed { first, max });
        }
        if first.is_zero() && !max.is_zero() {
            return Err(BadBackoff::Stuck { max });
        }
        Ok(Self { first, max, ..Self::NONE })
    }

    /// Between two numbers of milliseconds, checked when this program is built; half of each wait is left to
    /// chance, so that calls that failed together do not come back in one wave, and none comes back at once.
    pub const fn millis<const FIRST: u64, const MAX: u64>() -> Self {
        const { assert!(0 < FIRST && FIRST <= MAX) };
        let first = Duration::from_millis(FIRST);
        let max = Duration::from_millis(MAX);
        Self { first, max, factor: 2.0, jitter: 0.5 }
    }

    /// With another growth: at least 1, or the waits stay as they are.
    #[must_use]
    pub const fn factor(self, factor: f64) -> Self {
        Self { factor: factor.max(1.0), ..self }
    }

    /// With so large a share of each wait, from 0 to 1, left to chance.
    #[must_use]
    pub const fn jitter(self, share: f64) -> Self {
        Self { jitter: share.clamp(0.0, 1.0), ..self }
    }

    /// Before retry number `retry` (0 is the first) without jitter: the longest that `wait` can be.
    pub fn ceiling(&self, retry: u32) -> Duration {
        let growth = self.factor.powi(i32::try_from(retry).unwrap_or(i32::MAX));
        let grown = Duration::try_from_secs_f64(self.first.as_secs_f64() * growth);
        grown.map_or(self.max, |grown| grown.clamp(self.first, self.max))
    }

    /// One draw of the wait before retry number `retry` (0 is the first): at most `ceiling`, less by chance.
    pub fn wait(&self, retry: u32, rng: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling(retry);
        let chance = ceiling.mul_f64(self.jitter).min(ceiling);
        ceiling - rng.random_range(Duration::ZERO..=chance)
    }

    /// The waits of one trouble, one after the other.
    pub const fn waits(self) -> Waits {
        Waits { backoff: self, failures: 0 }
    }
}

/// The waits since the last success.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    backoff: Backoff,
    failures: u32,
}

impl Waits {
    /// Counts one failure more, and answers how long to wait after it.
    pub fn after_failure(&mut self) -> Duration {
        let wait = self.backoff.wait(self.failures, &mut rand::rng());
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// After a success: the next wait is the first one again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn refuses_waits_that_make_no_sense() {
        let second = Duration::from_secs(1);
        assert_eq!(
            Backoff::new(second * 2, second),
            Err(BadBackoff::Reversed { first: second * 2, max: second })
        );
        assert_eq!(Backoff::new(Duration::ZERO, second), Err(BadBackoff::Stuck { max: second }));
        assert!(Backoff::new(Duration::ZERO, Duration::ZERO).is_ok());
    }

    #[test]
    fn doubles_up_to_its_maximum() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10)).unwrap();
        let seconds: Vec<_> = (0..6).map(|retry| backoff.ceiling(retry).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn waits_grow_to_their_limit_and_start_again() {
        let first = Duration::from_millis(100);
        let max = Duration::from_secs(2);
        let mut waits = Backoff::millis::<100, 2000>().waits();
        assert!((first / 2..=first).contains(&waits.after_failure()));
        for _ in 0..100 {
            assert!(waits.after_failure() <= max);
        }
        assert!(waits.after_failure() >= max / 2 && waits.failures() == 102);
        waits.reset();
        assert!(waits.after_failure() <= first);
    }

    proptest! {
        #[test]
        fn the_ceiling_never_falls_and_never_passes_max(
            first in 1u64..1_000_000, more in 0u64..1_000_000_000, factor in 0.5..10.0, retry in
            0u32..=u32::MAX - 1
        ) {
            let max = Duration::from_millis(first + more);
            let backoff = Backoff::new(Duration::from_millis(first), max).unwrap().factor(factor);
            prop_assert!(backoff.ceiling(retry) <= backoff.ceiling(retry + 1));
            prop_assert!(backoff.ceiling(u32::MAX) <= max);
        }

        #[test]
        fn chance_takes_no_more_than_its_share(
            first in 1u64..1_000_000, more in 0u64..1_000_000_000, retry in any::<u32>(), share in 0.0..=1.0,
            seed: u64
        ) {
            let max = Duration::from_millis(first + more);
            let backoff = Backoff::new(Duration::from_millis(first), max).unwrap().jitter(share);
            let wait = backoff.wait(retry, &mut SmallRng::seed_from_u64(seed));
            let ceiling = backoff.ceiling(retry);
            let least = ceiling - ceiling.mul_f64(share).min(ceiling);
            prop_assert!(least <= wait && wait <= ceiling && ceiling <= max);
        }
    }
}
