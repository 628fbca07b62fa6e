use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// One refusal of a token is recorded in this time: a token that may change nothing must not be able to push
/// the changes of others out of the log.
const QUIET: Duration = Duration::from_secs(60);

/// When each token was last refused a change. There are no more of them than tokens.
#[derive(Default)]
pub(in crate::api) struct Refusals(Mutex<HashMap<String, Instant>>);

impl Refusals {
    pub(super) fn is_first(&self, by: Option<&str>) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, at| now.duration_since(*at) < QUIET);
        let by = by.unwrap_or_default();
        if last.contains_key(by) {
            return false;
        }
        last.insert(by.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_refusal_of_a_token_a_minute_is_recorded() {
        let refusals = Refusals::default();
        let told = ["a", "a", "b", "a"].map(|by| refusals.is_first(Some(by)));
        assert_eq!(told, [true, false, true, false]);
        tokio::time::advance(QUIET).await;
        assert!(refusals.is_first(Some("a")) && refusals.is_first(None) && !refusals.is_first(None));
    }
}
