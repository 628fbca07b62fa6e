//! When a task may start and when it expires, from a producer's four ways to say so.

use std::time::Duration;

use super::{Rejection, check};
use clawpool_core::{
    config::Limits,
    task::{NewTask, Timestamp},
};

/// Given in the task itself; the class's TTL fills in where it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Later than now; none: at once.
    pub start: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
}

impl Times {
    pub(super) fn of(task: &NewTask, limits: &Limits, now: Timestamp) -> Result<Self, Rejection> {
        conflicts(task)?;
        in_milliseconds("not_before", task.not_before)?;
        in_milliseconds("expires_at", task.expires_at)?;
        let moment = Duration::from_millis(1);
        check::span("CP-1110", "delay", task.delay, Duration::ZERO, limits.delay)?;
        check::span("CP-1111", "ttl", task.ttl, moment, limits.ttl)?;
        let start =
            task.not_before.or_else(|| task.delay.map(|delay| now + delay)).filter(|start| *start > now);
        if task.not_before.is_some_and(|start| start.since(now) > limits.delay) {
            let message = format!(
                "{} is more than {} ahead (limits.delay)",
                shown(task.not_before),
                humantime::format_duration(limits.delay)
            );
            return Err(Rejection::invalid("CP-1110", "not_before", message));
        }
        let begin = start.unwrap_or(now);
        let deadline = task.expires_at.or_else(|| task.ttl.map(|ttl| begin + ttl));
        if let Some(deadline) = task.expires_at {
            expiry(deadline, begin, now, limits)?;
        }
        Ok(Self { start, deadline })
    }

    /// How long until the deadline that the task itself names.
    pub(super) fn due_in(&self, now: Timestamp) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.since(now))
    }

    pub(super) fn expires_at(&self, ttl: Duration, now: Timestamp) -> Timestamp {
        self.deadline.unwrap_or_else(|| self.start.unwrap_or(now) + ttl)
    }
}

fn conflicts(task: &NewTask) -> Result<(), Rejection> {
    if task.delay.is_some() && task.not_before.is_some() {
        let message = "delay and not_before both say when it may start: send one of them";
        return Err(Rejection::invalid("CP-1108", "not_before", message));
    }
    if task.ttl.is_some() && task.expires_at.is_some() {
        let message = "ttl and expires_at both say when it expires: send one of them";
        return Err(Rejection::invalid("CP-1108", "expires_at", message));
    }
    Ok(())
}

/// A number of seconds taken for milliseconds would start the task decades early, which is at once.
fn in_milliseconds(field: &str, time: Option<Timestamp>) -> Result<(), Rejection> {
    let Some(time) = time.filter(|time| time.looks_like_seconds()) else { return Ok(()) };
    let millis = time.as_millis();
    let message = format!(
        "{millis} milliseconds since 1970 are {time}: seconds are sent as {millis}000, or as RFC 3339 text, \
        {}",
        Timestamp::from_millis(millis * 1000)
    );
    Err(Rejection::invalid("CP-1123", field, message))
}

fn expiry(deadline: Timestamp, begin: Timestamp, now: Timestamp, limits: &Limits) -> Result<(), Rejection> {
    let message = if deadline <= now {
        format!("{deadline} is past (it is {now}): the task could never start")
    } else if deadline <= begin {
        format!("{deadline} is not after its start at {begin}: the task could never start")
    } else if deadline.since(begin) > limits.ttl {
        format!(
            "{deadline} is more than {} after its start (limits.ttl)",
            humantime::format_duration(limits.ttl)
        )
    } else {
        return Ok(());
    };
    Err(Rejection::invalid("CP-1109", "expires_at", message))
}

fn shown(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}
