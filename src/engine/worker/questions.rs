//! Does this worker run a task that the store counts as its own? The leader asks, for records damaged by hand
//! and for claims that were lost in this process: no other worker would start such a task while this one
//! lives.
//!
//! Guarantees: what is given back, without an attempt, is neither claimed, run nor settled here at that
//! moment, and a late outcome of it is refused, for its token is void then. Never does: cost anything without
//! a question.

use std::{collections::BTreeSet, sync::Arc};

use super::{engine::Engine, job::Job};
use crate::alert::{Alert, Event, raise};
use clawpool_backends::store::{Claimed, End, Settlement, Store};
use clawpool_core::task::ProcessId;

/// Numbers for calls under way, so that it is known when all before one of them have ended.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    next: u64,
    open: BTreeSet<u64>,
}

impl UnderWay {
    /// `count` calls begin together; their first number.
    pub fn begin(&mut self, count: u64) -> u64 {
        let number = self.next;
        self.next += count;
        self.open.insert(number);
        number
    }

    pub fn end(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// The next one's number.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Everything before this number has ended.
    pub fn ended(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.next)
    }
}

/// A claim that may be lost: the store has it, and it was not found here yet.
#[derive(Debug)]
pub(super) struct Doubt {
    claimed: Claimed,
    waits_for: Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// It may be the answer to a claim with a smaller number.
    Claims(u64),
    /// Its outcome may be on its way, with a smaller number.
    Outcomes(u64),
}

impl Engine {
    /// Called with every heartbeat: takes in what is asked now, and gives back of what was asked before what
    /// is surely lost.
    pub(super) fn answer(&mut self, asked: Vec<Claimed>) {
        if asked.is_empty() && self.doubts.is_empty() {
            return;
        }
        let news =
            asked.into_iter().filter(|claimed| !self.doubts.iter().any(|doubt| doubt.claimed == *claimed));
        let waits_for = Wait::Claims(self.claims.next());
        let news: Vec<Doubt> = news.map(|claimed| Doubt { claimed, waits_for }).collect();
        let mut doubts = std::mem::take(&mut self.doubts);
        doubts.extend(news);
        let mut strange = Vec::new();
        for mut doubt in doubts {
            if self.has(&doubt.claimed) {
                continue;
            }
            if matches!(doubt.waits_for, Wait::Claims(number) if self.claims.ended() >= number) {
                // Were it here, it would have come by now; if it has gone again, its outcome is counted.
                doubt.waits_for = Wait::Outcomes(self.outcomes.sent());
            }
            match doubt.waits_for {
                Wait::Outcomes(number) if self.outcomes.recorded() >= number => strange.push(doubt.claimed),
                _ => self.doubts.push(doubt),
            }
        }
        if !strange.is_empty() {
            tokio::spawn(give_back(Arc::clone(&self.claimer.store), self.claimer.worker, strange));
        }
    }

    fn has(&self, claimed: &Claimed) -> bool {
        let is_it = |job: &Job| job.claimed.token == claimed.token;
        self.running.get(&claimed.id).is_some_and(|(_, job)| is_it(job))
            || self.run_queue.find(claimed.id).is_some_and(is_it)
    }
}

async fn give_back(store: Arc<dyn Store>, worker: ProcessId, claims: Vec<Claimed>) {
    let settlements: Vec<Settlement> =
        claims.iter().map(|claimed| Settlement { claimed: *claimed, end: End::Released }).collect();
    match store.settle(worker, &settlements).await {
        Ok(done) => {
            for (claimed, _) in claims.iter().zip(done).filter(|(_, done)| *done) {
                let text = format!(
                    "task {} was recorded as running at worker {worker}, which does not run it: it waits \
                    again",
                    claimed.id
                );
                tracing::warn!(code = Event::TasksRestored.code(), "{text}");
                raise(&*store, claimed.queue.name(), &Alert::new(Event::TasksRestored, text)).await;
            }
        }
        // The leader asks again.
        Err(error) => tracing::debug!(code = error.code(), %error, "lost claims wait for the store"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_before_a_number_has_ended_when_the_oldest_that_has_not_is_not_before_it() {
        let mut all = UnderWay::default();
        assert_eq!((all.begin(1), all.begin(3), all.begin(1)), (0, 1, 4));
        all.end(1);
        assert_eq!((all.ended(), all.next()), (0, 5));
        all.end(0);
        assert_eq!(all.ended(), 4);
        all.end(4);
        assert_eq!(all.ended(), 5);
    }
}
