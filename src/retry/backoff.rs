use std::time::Duration;

use rand::{Rng, RngExt};

/// Waits that double from `first` up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    jitter: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBackoff {
    #[error("first is {first:?} and max is {max:?}: max must not be shorter than first")]
    Reversed { first: Duration, max: Duration },
    /// Doubling nothing never reaches `max`.
    #[error("first is zero and max is {max:?}: the waits could never grow; give first at least 1ms")]
    Stuck { max: Duration },
}

impl Backoff {
    pub(super) const NONE: Self = Self { first: Duration::ZERO, max: Duration::ZERO, jitter: false };

    /// `first` equal to `max` makes a fixed wait.
    pub fn new(first: Duration, max: Duration, jitter: bool) -> Result<Self, BadBackoff> {
        if first > max {
            return Err(BadBackoff::Reversed { first, max });
        }
        if first.is_zero() && !max.is_zero() {
            return Err(BadBackoff::Stuck { max });
        }
        Ok(Self { first, max, jitter })
    }

    /// Before retry number `retry` (0 is the first) without jitter: the longest that `wait` can be.
    pub fn ceiling(&self, retry: u32) -> Duration {
        let factor = 2u32.checked_pow(retry).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }

    /// With full jitter (anything from zero to the ceiling) where the row asks for it.
    pub fn wait(&self, retry: u32, rng: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling(retry);
        if self.jitter { rng.random_range(Duration::ZERO..=ceiling) } else { ceiling }
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
            Backoff::new(second * 2, second, true),
            Err(BadBackoff::Reversed { first: second * 2, max: second })
        );
        assert_eq!(Backoff::new(Duration::ZERO, second, true), Err(BadBackoff::Stuck { max: second }));
        assert!(Backoff::new(Duration::ZERO, Duration::ZERO, false).is_ok());
    }

    #[test]
    fn doubles_up_to_its_maximum() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10), false).unwrap();
        let seconds: Vec<_> = (0..6).map(|retry| backoff.ceiling(retry).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }

    proptest! {
        #[test]
        fn the_ceiling_never_falls_and_never_passes_max(
            first in 1u64..1_000_000, more in 0u64..1_000_000_000, retry in 0u32..=u32::MAX - 1
        ) {
            let max = Duration::from_millis(first + more);
            let backoff = Backoff::new(Duration::from_millis(first), max, false).unwrap();
            prop_assert!(backoff.ceiling(retry) <= backoff.ceiling(retry + 1));
            prop_assert!(backoff.ceiling(u32::MAX) <= max);
        }

        #[test]
        fn no_wait_is_longer_than_max(
            first in 1u64..1_000_000, more in 0u64..1_000_000_000, retry in any::<u32>(), jitter: bool, seed: u64
        ) {
            let max = Duration::from_millis(first + more);
            let backoff = Backoff::new(Duration::from_millis(first), max, jitter).unwrap();
            let wait = backoff.wait(retry, &mut SmallRng::seed_from_u64(seed));
            prop_assert!(wait <= max);
            prop_assert!(jitter || wait == backoff.ceiling(retry));
        }
    }
}
