//! Wrong tokens, by the address that sends them.
//!
//! Guarantees: an address that sends wrong tokens again and again is answered late, and a warning names it
//! and how often; a right token is never kept waiting, whatever else its address sends. Never does: remember
//! a token.

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
pub(super) struct WrongTokens(Mutex<HashMap<IpAddr, Attempts>>);

struct Attempts {
    count: u32,
    last: Instant,
    /// Since the operator last heard of it.
    unreported: u32,
    reported: Option<Instant>,
}

impl WrongTokens {
    /// Notes a wrong token; answers how long its answer has to wait.
    pub(super) fn note(&self, address: IpAddr) -> Duration {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&address) {
            all.retain(|_, attempts| now.duration_since(attempts.last) < FORGET);
            if all.len() >= MOST {
                return LATE.ceiling(u32::MAX);
            }
        }
        let attempts =
            all.entry(address).or_insert(Attempts { count: 0, last: now, unreported: 0, reported: None });
        if now.duration_since(attempts.last) >= FORGET {
            attempts.count = 0;
        }
        attempts.last = now;
        attempts.count = attempts.count.saturating_add(1);
        attempts.unreported = attempts.unreported.saturating_add(1);
        if attempts.reported.is_none_or(|reported| now.duration_since(reported) >= QUIET) {
            let code = "CP-1404";
            let count = attempts.unreported;
            tracing::warn!(code, %address, count, "this address sends wrong tokens; they are answered late");
            attempts.unreported = 0;
            attempts.reported = Some(now);
        }
        delay(attempts.count)
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
        let wrong_tokens = WrongTokens::default();
        let [one, other] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let waits: Vec<_> = (0..10).map(|_| wrong_tokens.note(one).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(wrong_tokens.note(other), Duration::ZERO);
        tokio::time::advance(FORGET).await;
        assert_eq!(wrong_tokens.note(one), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_without_end_take_no_memory_without_end() {
        let wrong_tokens = WrongTokens::default();
        for number in 0..2 * MOST as u32 {
            wrong_tokens.note(IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(wrong_tokens.0.lock().unwrap().len(), MOST);
    }
}
