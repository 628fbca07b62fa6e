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
/// Where none has, as before anybody led, the shortest step that is still kept is taken: what is not there
/// costs little then.
pub(super) fn cover(
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
    is_summed: impl Fn(Step, Timestamp) -> bool,
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut at = Step::TenSeconds.window(from);
    while at < to {
        let fits = |step: &Step| step.window(at) == at && at + step.length() <= to;
        let is_kept = |step: &Step| at + step.kept() > now;
        let is_summed = |step: &Step| step.finer().is_some() && is_summed(*step, at);
        let longest = Step::ALL.into_iter().rev().filter(fits).find(is_summed);
        let kept = || Step::ALL.into_iter().filter(fits).find(is_kept);
        let step = longest.or_else(kept).unwrap_or(Step::TenSeconds);
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
    const DAY: u64 = 24 * HOUR;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_longest_windows_are_taken() {
        let summed = |step: Step, window: Timestamp| window + step.length() <= at(3 * HOUR);
        let now = at(3 * HOUR + 25);
        let parts = cover(at(50), now, now, summed);
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

    #[test]
    fn a_month_of_which_nothing_is_summed_up_takes_few_windows() {
        let now = at(400 * DAY + 12_345);
        let from = Step::Day.window(at(370 * DAY));
        let windows = |part: &Part| part.to.since(part.from).as_secs() / part.step.length().as_secs();
        let count: u64 = cover(from, now, now, |_, _| false).iter().map(windows).sum();
        assert!(count < 6_000, "{count}");
    }

    proptest! {
        #[test]
        fn every_moment_is_covered_once(
            from in 0_u64..200_000,
            length in 1_u64..300_000,
            summed in 0_u64..500_000,
        ) {
            let is_summed = |step: Step, window: Timestamp| window + step.length() <= at(summed);
            let now = at(from + length);
            let parts = cover(at(from), now, now, is_summed);
            prop_assert_eq!(parts[0].from, Step::TenSeconds.window(at(from)));
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
            }
            let end = parts.last().unwrap().to;
            prop_assert!(end >= at(from + length) && end < at(from + length) + Step::TenSeconds.length());
        }
    }
}
