//! Spans of time as a histogram: eight buckets for each power of two, from 64 microseconds on.

use std::{ops::RangeInclusive, time::Duration};

use histogram::{Bucket, Config, Histogram};

/// Each power of two has so many bits of buckets.
const BITS: u8 = 3;
/// What is shorter than 64 µs counts as one: many counters of next to nothing would cost more than they tell.
const UNIT_BITS: u8 = 6;
/// Twelve days, in microseconds; what takes longer counts as that.
const MOST_BITS: u8 = 40;
const LONGEST: u64 = (1 << MOST_BITS) - 1;

/// Where the bucket of a span begins, in microseconds.
pub fn rounded(span: Duration) -> u64 {
    let units = micros(span) >> UNIT_BITS;
    let dropped = units.checked_ilog2().unwrap_or_default().saturating_sub(BITS.into());
    units >> dropped << dropped << UNIT_BITS
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(LONGEST).min(LONGEST)
}

/// So many spans, by their length.
#[derive(Clone, Debug)]
pub struct Spans(Histogram);

impl Default for Spans {
    fn default() -> Self {
        #[allow(clippy::expect_used)]
        let config = Config::new(BITS, MOST_BITS - UNIT_BITS).expect("three bits are fewer than 34");
        Self(Histogram::with_config(&config))
    }
}

impl Spans {
    /// Adds spans of one bucket, by where that begins.
    pub fn add(&mut self, micros: u64, count: u64) {
        // Fails beyond the longest alone.
        let _ = self.0.add(micros.min(LONGEST) >> UNIT_BITS, count);
    }

    /// All of another one. Both have the same buckets, so that this cannot fail.
    pub fn merge(&mut self, other: &Self) {
        let _ = self.0.checked_add_assign(&other.0);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.as_slice().iter().sum()
    }

    /// The span that this part of all does not exceed, as the middle of its bucket. None of nothing.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let bucket = self.0.quantile_bucket(part).ok().flatten()?;
        Some(Duration::from_micros(middle(&range(&bucket))))
    }

    /// All together, each as the middle of its bucket.
    pub fn sum(&self) -> Duration {
        let sums = self.filled().map(|(range, count)| middle(&range).saturating_mul(count));
        Duration::from_micros(sums.fold(0, u64::saturating_add))
    }

    /// None of nothing.
    pub fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        (count > 0).then(|| self.sum() / count)
    }

    /// How many are at most so long; of the bucket that it falls into, a part.
    pub fn at_most(&self, span: Duration) -> u64 {
        let limit = micros(span);
        let within = |(range, count): (RangeInclusive<u64>, u64)| match *range.end() <= limit {
            true => count,
            false => count * (limit - range.start() + 1) / (range.end() - range.start() + 1),
        };
        self.filled().filter(|(range, _)| *range.start() <= limit).map(within).sum()
    }

    /// Buckets with something in them: what they hold in microseconds, and how many.
    fn filled(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u64)> {
        let filled = self.0.iter().filter(|bucket| bucket.count() > 0);
        filled.map(|bucket| (range(&bucket), bucket.count()))
    }
}

/// In microseconds.
fn range(bucket: &Bucket) -> RangeInclusive<u64> {
    (bucket.start() << UNIT_BITS)..=(((bucket.end() + 1) << UNIT_BITS) - 1)
}

const fn middle(range: &RangeInclusive<u64>) -> u64 {
    *range.start() + (*range.end() - *range.start()) / 2
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
            let (bucket, _) = spans.filled().next().unwrap();
            prop_assert_eq!(rounded(Duration::from_micros(micros)), *bucket.start());
            prop_assert!(bucket.contains(&micros));
        }

        #[test]
        fn quantiles_are_within_a_sixteenth_or_32_microseconds(
            mut micros in prop::collection::vec(1_u64..1 << 35, 1..200),
        ) {
            let mut spans = Spans::default();
            for span in &micros {
                spans.add(rounded(Duration::from_micros(*span)), 1);
            }
            micros.sort_unstable();
            for part in [0.5, 0.95, 0.99, 1.0] {
                let rank = ((part * micros.len() as f64).ceil() as usize).max(1) - 1;
                let exact = micros[rank] as f64;
                let found = spans.quantile(part).unwrap().as_micros() as f64;
                prop_assert!((found - exact).abs() <= exact / 16.0 + 32.0, "{found} is not {exact}");
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
        // From 1,024 to 1,151, and from 0 to 63.
        spans.add(1_024, 16);
        spans.add(0, 4);
        assert_eq!(spans.at_most(Duration::from_micros(1_087)), 4 + 8);
        assert_eq!(spans.at_most(Duration::from_micros(1_151)), 20);
        assert_eq!(spans.sum(), Duration::from_micros(4 * 31 + 16 * 1_087));
    }
}
