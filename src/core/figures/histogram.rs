//! Spans of time as a histogram: eight buckets for each power of two microseconds.

use std::time::Duration;

use histogram::{Config, Histogram};

/// Each power of two has so many bits of buckets.
const BITS: u8 = 3;
/// Twelve days, in microseconds; what takes longer counts as that.
const MOST_BITS: u8 = 40;
const LONGEST: u64 = (1 << MOST_BITS) - 1;

/// Where the bucket of a span begins, in microseconds.
pub fn rounded(span: Duration) -> u64 {
    let micros = u64::try_from(span.as_micros()).unwrap_or(LONGEST).min(LONGEST);
    let dropped = micros.checked_ilog2().unwrap_or_default().saturating_sub(BITS.into());
    micros >> dropped << dropped
}

/// So many spans, by their length.
#[derive(Clone, Debug)]
pub struct Spans(Histogram);

impl Default for Spans {
    fn default() -> Self {
        #[allow(clippy::expect_used)]
        let config = Config::new(BITS, MOST_BITS).expect("three bits are fewer than forty");
        Self(Histogram::with_config(&config))
    }
}

impl Spans {
    /// Adds spans of one bucket, by where that begins.
    pub fn add(&mut self, micros: u64, count: u64) {
        // Fails beyond the longest alone.
        let _ = self.0.add(micros.min(LONGEST), count);
    }

    /// All of another one.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|bucket| self.add(bucket.start(), bucket.count()));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.as_slice().iter().sum()
    }

    /// The span that this part of all does not exceed, as the middle of its bucket. None of nothing.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let found = self.0.quantile(part).ok().flatten()?;
        let bucket = found.entries().values().next()?.clone();
        Some(Duration::from_micros(middle(bucket.start(), bucket.end())))
    }

    /// All together, each as the middle of its bucket.
    pub fn sum(&self) -> Duration {
        let filled = self.0.iter().filter(|bucket| bucket.count() > 0);
        let sum = filled.map(|bucket| middle(bucket.start(), bucket.end()).saturating_mul(bucket.count()));
        Duration::from_micros(sum.fold(0, u64::saturating_add))
    }

    /// None of nothing.
    pub fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        (count > 0).then(|| self.sum() / count)
    }

    /// How many are at most so long; of the bucket that it falls into, a part.
    pub fn at_most(&self, span: Duration) -> u64 {
        let limit = u64::try_from(span.as_micros()).unwrap_or(LONGEST);
        let filled = self.0.iter().filter(|bucket| bucket.count() > 0 && bucket.start() <= limit);
        let within = filled.map(|bucket| match bucket.end() <= limit {
            true => bucket.count(),
            false => {
                let width = bucket.end() - bucket.start() + 1;
                bucket.count() * (limit - bucket.start() + 1) / width
            }
        });
        within.sum()
    }
}

const fn middle(start: u64, end: u64) -> u64 {
    start + (end - start) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_span_is_rounded_to_where_its_bucket_begins(micros in 0_u64..LONGEST) {
            let mut spans = Spans::default();
            spans.add(micros, 1);
            let bucket = spans.0.iter().find(|bucket| bucket.count() == 1).unwrap();
            prop_assert_eq!(rounded(Duration::from_micros(micros)), bucket.start());
        }

        #[test]
        fn quantiles_are_within_a_sixteenth(mut micros in prop::collection::vec(1_u64..1 << 35, 1..200)) {
            let mut spans = Spans::default();
            for span in &micros {
                spans.add(rounded(Duration::from_micros(*span)), 1);
            }
            micros.sort_unstable();
            for part in [0.5, 0.95, 0.99, 1.0] {
                let rank = ((part * micros.len() as f64).ceil() as usize).max(1) - 1;
                let exact = micros[rank] as f64;
                let found = spans.quantile(part).unwrap().as_micros() as f64;
                prop_assert!((found - exact).abs() <= exact / 16.0 + 1.0, "{found} is not {exact}");
            }
        }
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        let spans = Spans::default();
        assert_eq!((spans.count(), spans.quantile(0.5), spans.mean()), (0, None, None));
    }

    #[test]
    fn what_is_longer_than_the_longest_counts_as_that() {
        let mut spans = Spans::default();
        spans.add(rounded(Duration::MAX), 2);
        assert_eq!(spans.count(), 2);
        assert_eq!(spans.at_most(Duration::MAX), 2);
    }

    #[test]
    fn a_part_of_a_bucket_is_within_a_limit() {
        let mut spans = Spans::default();
        // From 192 to 207.
        spans.add(192, 16);
        spans.add(1, 4);
        assert_eq!(spans.at_most(Duration::from_micros(199)), 4 + 8);
        assert_eq!(spans.at_most(Duration::from_micros(207)), 20);
        assert_eq!(spans.sum(), Duration::from_micros(4 + 16 * 199));
    }
}
