//! Records for the store: tasks that wait for their time, and dead letters.

use std::time::{Duration, Instant};

use anyhow::Result;
use clawpool_backends::store::{Admission, DeadLetter};
use clawpool_core::task::{
    DeadReason, ErrorClass, Failure, Message, Payload, Priority, Task, TaskId, Timestamp,
};

use crate::{raw::BODY, worker::NOOP};

const HOUR: Duration = Duration::from_secs(3600);

pub fn message() -> Result<Message> {
    let task = Task {
        version: Task::VERSION,
        id: TaskId::new(),
        enqueued_by: None,
        kind: NOOP.into(),
        payload: Payload::encode(&"x".repeat(BODY - 2))?,
        priority: Priority::P4,
        queue: None,
        tenant: None,
        tier: None,
        session: None,
        enqueued_at: Timestamp::now(),
        not_before: None,
        expires_at: Timestamp::now() + 2 * HOUR,
        attempt: 0,
        max_attempts: None,
        retry: None,
        timeout: Duration::from_secs(60),
        unique_key: None,
        trace: None,
        trace_state: None,
        meta: Default::default(),
        result_ttl: HOUR,
        generation: 0,
        handed_on: 0,
        errors: Vec::new(),
    };
    Ok(task.to_message()?)
}

/// Tasks to start at a time.
pub fn delayed(count: usize, at: Timestamp) -> Result<Vec<Admission>> {
    let one = |_| {
        Ok(Admission {
            message: message()?,
            kind: NOOP.into(),
            tenant: None,
            enqueued_by: None,
            unique_key: None,
            at: Some(at),
            fingerprint: None,
        })
    };
    (0..count).map(one).collect()
}

pub fn in_an_hour() -> Timestamp {
    Timestamp::now() + HOUR
}

pub fn letters(count: usize) -> Result<Vec<DeadLetter>> {
    let one = |_| {
        Ok(DeadLetter {
            message: message()?,
            kind: NOOP.into(),
            tenant: None,
            reason: DeadReason::Exhausted,
            failure: Failure::new(ErrorClass::Network, "the server does not answer"),
            crashes: 0,
            died_at: Timestamp::now(),
        })
    };
    (0..count).map(one).collect()
}

/// Microseconds for each of so many since then.
pub fn cost(since: Instant, count: usize) -> f64 {
    since.elapsed().as_secs_f64() * 1e6 / count as f64
}
