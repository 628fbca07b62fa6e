use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use rand_distr::{Binomial, Distribution, Poisson};

/// Chance, from a seed: the same seed gives the same run.
pub(super) struct Chance(StdRng);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Arrivals within a tick when so many are expected.
    pub(super) fn arrivals(&mut self, expected: f64) -> u64 {
        // Fails only for an expectation that is no positive number.
        Poisson::new(expected).map_or(0, |poisson| poisson.sample(&mut self.0) as u64)
    }

    /// How many of `running` tasks end, each with this probability: service times are exponential.
    pub(super) fn ended(&mut self, running: u64, probability: f64) -> u64 {
        if running == 0 {
            return 0;
        }
        Binomial::new(running, probability).map_or(running, |binomial| binomial.sample(&mut self.0))
    }
}

/// Every tick's arrivals, drawn once so that all scalers see the same.
pub(super) fn arrivals(rates: impl Iterator<Item = f64>, tick: Duration, seed: u64) -> Vec<u64> {
    let mut chance = Chance::new(seed);
    rates.map(|rate| chance.arrivals(rate * tick.as_secs_f64())).collect()
}
