//! Which windows make up a span of time: the longest that there are.

use clawpool_core::{figures::Step, task::Timestamp};

/// Windows of one step, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) step: Step,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// From the window of ten seconds that `from` lies in. `is_summed`: whether a step has this window whole.
pub(super) fn cover(
    from: Timestamp,
    to: Timestamp,
    is_summed: impl Fn(Step, Timestamp) -> bool,
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut at = Step::TenSeconds.window(from);
    while at < to {
        let fits = |step: &Step| step.window(at) == at && at + step.length() <= to && is_summed(*step, at);
        let step = Step::ALL.into_iter().rev().find(fits).unwrap_or(Step::TenSeconds);
        let end = at + step.length();
        match parts.last_mut() {
            Some(last) if last.step == step => last.to = end,
            _ => parts.push(Part { step, from: at, to: end }),
        }
        at = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_longest_windows_are_taken() {
        let summed = |step: Step, window: Timestamp| window + step.length() <= at(3 * HOUR);
        let parts = cover(at(50), at(3 * HOUR + 25), summed);
        let steps: Vec<_> = parts.iter().map(|part| (part.step, part.from, part.to)).collect();
        assert_eq!(
            steps,
            [
                (Step::TenSeconds, at(50), at(60)),
                (Step::Minute, at(60), at(900)),
                (Step::QuarterHour, at(900), at(HOUR)),
                (Step::Hour, at(HOUR), at(3 * HOUR)),
                (Step::TenSeconds, at(3 * HOUR), at(3 * HOUR + 30)),
            ]
        );
    }

    proptest! {
        #[test]
        fn every_moment_is_covered_once(
            from in 0_u64..200_000,
            length in 1_u64..300_000,
            summed in 0_u64..500_000,
        ) {
            let is_summed = |step: Step, window: Timestamp| window + step.length() <= at(summed);
            let parts = cover(at(from), at(from + length), is_summed);
            prop_assert_eq!(parts[0].from, Step::TenSeconds.window(at(from)));
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
            }
            let end = parts.last().unwrap().to;
            prop_assert!(end >= at(from + length) && end < at(from + length) + Step::TenSeconds.length());
        }
    }
}
