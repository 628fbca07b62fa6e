//! When a service counts as down or slow. Pure: it sees what looks came to, in their order.
//!
//! Guarantees: one failure among successes changes nothing, where more than one must fail in turn; one
//! success mends.

use std::time::Duration;

use super::Standing;
use clawpool_core::{config::Probe, task::Timestamp};

/// The looks of one probe.
#[derive(Debug)]
pub(super) struct Tally {
    /// So many in turn count.
    most: u32,
    slow: Option<Duration>,
    pub(super) standing: Standing,
    /// Looks in turn that failed, and that took too long.
    pub(super) failed: u32,
    late: u32,
    pub(super) took: Option<Duration>,
    pub(super) looked: Option<Timestamp>,
}

impl Tally {
    pub(super) fn new(probe: &Probe) -> Self {
        Self {
            most: probe.failures(),
            slow: probe.slow(),
            standing: Standing::Unknown,
            failed: 0,
            late: 0,
            took: None,
            looked: None,
        }
    }

    /// How long a good answer took, or why there was none.
    pub(super) fn note(&mut self, answer: Result<Duration, String>) {
        self.looked = Some(Timestamp::now());
        self.took = answer.as_ref().ok().copied();
        match answer {
            Ok(took) => self.note_answer(took),
            Err(reason) => self.note_failure(reason),
        }
    }

    fn note_answer(&mut self, took: Duration) {
        self.failed = 0;
        let slow = self.slow.filter(|slow| took > *slow);
        self.late = if slow.is_some() { self.late.saturating_add(1) } else { 0 };
        self.standing = match slow {
            Some(slow) if self.late >= self.most => Standing::Degraded(format!(
                "it answers after {} ms, and {} ms are slow",
                took.as_millis(),
                slow.as_millis()
            )),
            _ => Standing::Up,
        };
    }

    fn note_failure(&mut self, reason: String) {
        self.failed = self.failed.saturating_add(1);
        self.late = 0;
        if self.failed >= self.most {
            self.standing = Standing::Down(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUICK: Duration = Duration::from_millis(20);
    const SLOW: Duration = Duration::from_millis(900);

    fn tally(most: u32) -> Tally {
        Tally {
            most,
            slow: Some(Duration::from_millis(200)),
            standing: Standing::Unknown,
            failed: 0,
            late: 0,
            took: None,
            looked: None,
        }
    }

    /// A letter a look: up, slow, failed. How the service stands after each.
    fn stands(most: u32, looks: &str) -> String {
        let mut tally = tally(most);
        let after = |look: char| {
            tally.note(match look {
                'u' => Ok(QUICK),
                's' => Ok(SLOW),
                _ => Err("no".into()),
            });
            match tally.standing {
                Standing::Unknown => '?',
                Standing::Up => 'u',
                Standing::Degraded(_) => 's',
                Standing::Down(_) => 'f',
            }
        };
        looks.chars().map(after).collect()
    }

    #[test]
    fn so_many_failures_in_turn_make_it_down_and_one_answer_mends_it() {
        assert_eq!(stands(3, "uffuffff"), "uuuuuuff");
        assert_eq!(stands(3, "fffu"), "??fu", "nothing is known before");
        assert_eq!(stands(1, "fu"), "fu");
    }

    #[test]
    fn so_many_slow_answers_in_turn_make_it_degraded() {
        assert_eq!(stands(3, "sssussf"), "uusuuuu");
        assert_eq!(stands(2, "ssffs"), "ussfu", "slow again is not slow yet");
        let mut tally = tally(1);
        tally.note(Ok(SLOW));
        assert_eq!(tally.standing.reason(), Some("it answers after 900 ms, and 200 ms are slow"));
    }

    proptest! {
        /// Down is exactly when the last looks, as many as count, have all failed.
        #[test]
        fn it_is_down_when_the_last_looks_have_failed(most in 1_u32..5, looks in "[usf]{1,30}") {
            let stands = stands(most, &looks);
            let failing = looks.len() - looks.trim_end_matches('f').len();
            prop_assert_eq!(stands.ends_with('f'), failing >= most as usize);
        }
    }
}
