use std::time::Duration;

use rand::Rng;

use super::Table;
use crate::task::{DeadReason, FailedAttempt, Failure, Outcome, Ran, Task, Timestamp};

/// The longest Retry-After that is obeyed; a server that asks for more is taken for broken.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Of a task's history, the first failure and this many of the latest are kept, so that no envelope grows
/// without bound.
const LATEST_ERRORS: usize = 19;

/// What becomes of `task`, whose running attempt ended in `failure`.
///
/// A class without retries is fatal whatever the task wishes. Otherwise the row that the task names, or else
/// that of the class, gives the waits and, when the task does not say, the number of attempts (INV-3). A task
/// that could start again only after it has expired is dead now rather than then.
pub fn decide(table: &Table, task: &Task, failure: Failure, now: Timestamp, rng: &mut impl Rng) -> Outcome {
    let of_class = table.class(failure.class);
    if failure.fatal || of_class.retries == 0 {
        return Outcome::Dead { reason: DeadReason::Fatal, failure };
    }
    let row = table.named(task.retry.as_deref()).unwrap_or(of_class);
    let started = task.attempt.saturating_add(1);
    let allowed = task.max_attempts.unwrap_or(row.retries.saturating_add(1));
    if started >= allowed {
        return Outcome::Dead { reason: DeadReason::Exhausted, failure };
    }
    let wait = match failure.retry_after {
        Some(asked) => asked.min(RETRY_AFTER_LIMIT),
        None => row.backoff.wait(task.attempt, rng),
    };
    let at = now + wait;
    if at > task.expires_at {
        return Outcome::Dead { reason: DeadReason::Expired, failure };
    }
    Outcome::Retry { failure, at }
}

/// The task as it goes on its way again after `failure`, not before `at`: its next attempt, its next
/// generation, its history longer by one.
pub fn next_message(task: &Task, failure: &Failure, ran: Option<Ran>, now: Timestamp, at: Timestamp) -> Task {
    let last = last_message(task, failure, ran, now);
    let generation = task.generation.saturating_add(1);
    Task { generation, not_before: Some(at), handed_on: 0, ..last }
}

/// The task as it goes to the dead letters after `failure`: with its whole history, but not on its way again.
pub fn last_message(task: &Task, failure: &Failure, ran: Option<Ran>, now: Timestamp) -> Task {
    let mut next = task.clone();
    next.attempt = task.attempt.saturating_add(1);
    next.errors.push(FailedAttempt { attempt: next.attempt, at: now, failure: failure.clone(), ran });
    if let Some(surplus) = next.errors.len().checked_sub(1 + LATEST_ERRORS) {
        next.errors.drain(1..1 + surplus);
    }
    next
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;
    use crate::{
        config::{RetryPolicy, RetryTable},
        task::{ErrorClass, Payload, Priority, TaskId},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const FAR: Duration = Duration::from_secs(1_000_000);

    fn task() -> Task {
        Task {
            version: Task::VERSION,
            id: TaskId::new(),
            enqueued_by: None,
            kind: "email.send".into(),
            payload: Payload::null(),
            priority: Priority::P4,
            queue: None,
            tenant: None,
            tier: None,
            session: None,
            enqueued_at: NOW,
            not_before: None,
            expires_at: NOW + FAR,
            attempt: 0,
            max_attempts: None,
            retry: None,
            timeout: Duration::from_secs(1),
            unique_key: None,
            trace: None,
            trace_state: None,
            meta: Default::default(),
            result_ttl: Duration::from_secs(1),
            generation: 0,
            handed_on: 0,
            errors: vec![],
        }
    }

    fn table() -> Table {
        let patient = RetryPolicy {
            retries: 20,
            first: Duration::from_secs(7),
            max: Duration::from_secs(7),
            jitter: false,
        };
        let mut table = RetryTable::default();
        table.0.insert("patient".into(), patient);
        Table::compile(&table).unwrap()
    }

    fn outcome(task: &Task, failure: Failure) -> Outcome {
        decide(&table(), task, failure, NOW, &mut SmallRng::seed_from_u64(7))
    }

    fn reason(outcome: &Outcome) -> Option<DeadReason> {
        match outcome {
            Outcome::Dead { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Fails the task with `class` until it is dead; how often it started.
    fn starts(mut task: Task, class: ErrorClass) -> u32 {
        for started in 1..1000 {
            match outcome(&task, Failure::new(class, "again")) {
                Outcome::Retry { failure, at } => {
                    assert!(at >= NOW);
                    task = next_message(&task, &failure, None, at, at);
                }
                _ => return started,
            }
        }
        panic!("{class} never ends");
    }

    #[test]
    fn inv3_each_class_starts_as_often_as_its_row_says() {
        let expected = [6, 11, 6, 4, 6, 11, 4, 4, 3, 1, 1, 1, 1, 3, 3];
        let found: Vec<_> = ErrorClass::ALL.into_iter().map(|class| starts(task(), class)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_tasks_own_wishes_replace_the_row() {
        assert_eq!(starts(Task { max_attempts: Some(2), ..task() }, ErrorClass::RateLimit), 2);
        assert_eq!(starts(Task { retry: Some("patient".into()), ..task() }, ErrorClass::Timeout), 21);
        assert_eq!(starts(Task { retry: Some("unheard of".into()), ..task() }, ErrorClass::Timeout), 4);
        let patient = Task { retry: Some("patient".into()), ..task() };
        let failure = Failure::new(ErrorClass::Network, "reset");
        let at = NOW + Duration::from_secs(7);
        assert_eq!(outcome(&patient, failure.clone()), Outcome::Retry { failure, at });
    }

    #[test]
    fn what_no_retry_mends_is_fatal_at_once() {
        for class in [
            ErrorClass::Authentication,
            ErrorClass::Validation,
            ErrorClass::Configuration,
            ErrorClass::Security,
        ] {
            let eager = Task { max_attempts: Some(9), retry: Some("patient".into()), ..task() };
            assert_eq!(
                reason(&outcome(&eager, Failure::new(class, "no"))),
                Some(DeadReason::Fatal),
                "{class}"
            );
        }
        let fatal = Failure::new(ErrorClass::Network, "no such host").fatal();
        assert_eq!(reason(&outcome(&task(), fatal)), Some(DeadReason::Fatal));
    }

    #[test]
    fn a_retry_after_the_expiry_is_death_now() {
        let hasty = Task { expires_at: NOW + Duration::from_secs(4), ..task() };
        let late = Failure::new(ErrorClass::Timeout, "slow");
        assert_eq!(reason(&outcome(&hasty, late)), Some(DeadReason::Expired));
        let in_time = Failure::new(ErrorClass::Timeout, "slow").retry_after(Duration::from_secs(4));
        assert_eq!(reason(&outcome(&hasty, in_time)), None);
    }

    #[test]
    fn history_keeps_the_first_failure_and_the_latest() {
        let mut task = task();
        for number in 1..=50 {
            let failure = Failure::new(ErrorClass::Network, number.to_string());
            task = next_message(&task, &failure, None, NOW, NOW);
        }
        let kept: Vec<_> = task.errors.iter().map(|error| error.attempt).collect();
        assert_eq!(kept, std::iter::once(1).chain(32..=50).collect::<Vec<_>>());
        assert_eq!((task.attempt, task.generation), (50, 50));
    }

    proptest! {
        #[test]
        fn inv3_never_more_starts_than_max_attempts(max in 1u32..40, which in 0..ErrorClass::ALL.len(),
        patient: bool) {
            let retry = patient.then(|| "patient".to_owned());
            let task = Task { max_attempts: Some(max), retry, ..task() };
            prop_assert!(starts(task, ErrorClass::ALL[which]) <= max);
        }

        #[test]
        fn retry_after_is_obeyed(asked in 0u64..200_000_000, attempt in 0u32..9, seed: u64) {
            let asked = Duration::from_millis(asked);
            let failure = Failure::new(ErrorClass::RateLimit, "slow down").retry_after(asked);
            let task = Task { attempt, ..task() };
            let outcome = decide(&table(), &task, failure.clone(), NOW, &mut SmallRng::seed_from_u64(seed));
            prop_assert_eq!(outcome, Outcome::Retry { failure, at: NOW + asked.min(RETRY_AFTER_LIMIT) });
        }

        #[test]
        fn no_retry_waits_longer_than_its_row(attempt in 0u32..5, seed: u64) {
            let task = Task { attempt, ..task() };
            let failure = Failure::new(ErrorClass::Network, "reset");
            let outcome = decide(&table(), &task, failure, NOW, &mut SmallRng::seed_from_u64(seed));
            let Outcome::Retry { at, .. } = outcome else { panic!("{outcome:?}") };
            prop_assert!(at.since(NOW) <= Duration::from_secs(1 << attempt));
        }
    }
}
