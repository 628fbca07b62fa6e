use std::time::Duration;

use rand::{Rng, RngExt};

/// How long to wait before a process that ended is started again: the first time not at all, then longer and longer, and
/// from the beginning after a life long enough to call it well.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    short_lives: u32,
}

impl Restarts {
    const FIRST: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(30);
    const WELL: Duration = Duration::from_secs(60);

    /// After a life of `lived`. A program that could not be started at all has not lived.
    pub(super) fn wait(&mut self, lived: Option<Duration>, rng: &mut impl Rng) -> Duration {
        if lived.is_some_and(|lived| lived >= Self::WELL) {
            self.short_lives = 0;
        }
        if lived.is_none() {
            // Trying at once what just proved impossible would help nobody.
            self.short_lives = self.short_lives.max(1);
        }
        let wait = match self.short_lives.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => {
                let factor = 2u32.checked_pow(doublings).unwrap_or(u32::MAX);
                Self::FIRST.saturating_mul(factor).min(Self::MAX)
            }
        };
        self.short_lives = self.short_lives.saturating_add(1);
        // Half of it at random: workers that fell together do not rise together, and none rises at once for ever.
        wait / 2 + rng.random_range(Duration::ZERO..=wait / 2)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn waits_grow_are_capped_and_start_over_after_a_good_life() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut restarts = Restarts::default();
        let short = Some(Duration::from_secs(1));
        assert_eq!(restarts.wait(short, &mut rng), Duration::ZERO);
        for ceiling in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let wait = restarts.wait(short, &mut rng).as_millis();
            assert!((ceiling / 2..=ceiling).contains(&wait), "{wait} of {ceiling}");
        }
        assert_eq!(restarts.wait(Some(Duration::from_secs(60)), &mut rng), Duration::ZERO);
    }

    #[test]
    fn a_program_that_cannot_start_never_starts_over_at_once() {
        let mut rng = SmallRng::seed_from_u64(2);
        assert!(Restarts::default().wait(None, &mut rng) >= Restarts::FIRST / 2);
    }
}
