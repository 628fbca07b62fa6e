//! Wrong tokens, by the address that sends them.
//!
//! Guarantees: whoever sends wrong tokens again and again is answered late, and the operator learns the address and how
//! often; a right token is never kept waiting, whoever shares its address. Never does: remember a token.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use clawpool_core::retry::Backoff;

/// Wrong tokens that are answered at once: a slip is no attack.
const FREE: u32 = 3;
const LATE: Backoff = Backoff::millis::<100, 2_000>();
/// An address that is quiet for so long begins anew.
const FORGET: Duration = Duration::from_secs(60);
/// The operator hears of an address this often at most.
const QUIET: Duration = Duration::from_secs(10);
/// Addresses that are remembered; there are more of them in the world than in memory.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Guesses(Mutex<HashMap<IpAddr, Guesser>>);

struct Guesser {
    count: u32,
    last: Instant,
    /// Since the operator last heard of it.
    untold: u32,
    told: Option<Instant>,
}

impl Guesses {
    /// Notes a wrong token; answers how long its answer has to wait.
    pub(super) fn note(&self, address: IpAddr) -> Duration {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&address) {
            all.retain(|_, guesser| now.duration_since(guesser.last) < FORGET);
            if all.len() >= MOST {
                return LATE.ceiling(u32::MAX);
            }
        }
        let guesser = all.entry(address).or_insert(Guesser { count: 0, last: now, untold: 0, told: None });
        if now.duration_since(guesser.last) >= FORGET {
            guesser.count = 0;
        }
        guesser.last = now;
        guesser.count = guesser.count.saturating_add(1);
        guesser.untold = guesser.untold.saturating_add(1);
        if guesser.told.is_none_or(|told| now.duration_since(told) >= QUIET) {
            let (code, count) = ("CP-1404", guesser.untold);
            tracing::warn!(code, %address, count, "this address sends wrong tokens; they are answered late");
            (guesser.untold, guesser.told) = (0, Some(now));
        }
        delay(guesser.count)
    }
}

fn delay(count: u32) -> Duration {
    match count.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(steps) => LATE.ceiling(steps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wrong_token_of_an_address_waits_longer_until_it_has_been_quiet() {
        let (guesses, [one, other]) = (Guesses::default(), [1, 2].map(|last| IpAddr::from([10, 0, 0, last])));
        let waits: Vec<_> = (0..10).map(|_| guesses.note(one).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(guesses.note(other), Duration::ZERO);
        tokio::time::advance(FORGET).await;
        assert_eq!(guesses.note(one), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_without_end_take_no_memory_without_end() {
        let guesses = Guesses::default();
        for number in 0..2 * MOST as u32 {
            guesses.note(IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(guesses.0.lock().unwrap().len(), MOST);
    }
}
