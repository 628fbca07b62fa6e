//! What is known of a worker's death.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_backends::store::{Entry, Topic, Usage};
use clawpool_core::task::{ProcessId, TaskId, Timestamp, millis};

/// Kept in the journal under [`Topic::Crash`]. Its log lines are as the worker wrote them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CrashReport {
    /// The id of the worker.
    pub worker: ProcessId,
    /// The pool that it belonged to.
    pub pool: String,
    /// The system's number of its process.
    pub pid: u32,
    /// When it was seen.
    pub at: Timestamp,
    /// What it died of, as far as that is seen.
    #[serde(rename = "type")]
    pub cause: Cause,
    /// How bad it is.
    pub severity: Severity,
    /// How the process ended, in words.
    pub exit: String,
    /// From its start to its end.
    #[serde(rename = "lived_ms", alias = "lived", with = "millis")]
    #[schemars(with = "u64")]
    pub lived: Duration,
    /// What it had claimed and not finished; all of it is back on its queue.
    pub tasks: Vec<TaskId>,
    /// At its last heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The end of its standard error.
    pub log: Vec<String>,
}

/// Spec S8's types, as far as a supervisor can tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CrashCause")]
pub enum Cause {
    /// It gave up by itself: a panic, an abort, an exit code.
    Exception,
    /// It reached for memory that it has not.
    Segfault,
    /// It went too deep.
    StackOverflow,
    /// The system had no memory for it.
    OutOfMemory,
    /// No heartbeat for a whole lease; it was killed.
    WatchdogTimeout,
    /// Something that it needs (a library) is missing.
    ServiceFailure,
    /// It was killed from outside.
    ExternalTermination,
    /// Nothing tells.
    Unknown,
}

/// How bad a death is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CrashSeverity")]
pub enum Severity {
    /// Nothing was lost.
    Low,
    /// It had work, or gave up by itself.
    Medium,
    /// Its program is at fault.
    High,
    /// It never came up.
    Fatal,
}

impl CrashReport {
    pub(super) fn entry(&self) -> Option<Entry> {
        let body = serde_json::to_value(self).ok()?;
        Some(Entry { topic: Topic::Crash, at: self.at, subject: self.pool.clone(), body })
    }
}

/// The cause, from what the system says of the process and the process said last.
pub(super) fn cause(code: Option<i32>, signal: Option<i32>, log: &[String]) -> Cause {
    let said = |words: &str| log.iter().rev().take(10).any(|line| line.contains(words));
    // A shell that ran the program says its signal so.
    let signal = signal.or_else(|| code.filter(|code| (129..=159).contains(code)).map(|code| code - 128));
    if let Some(signal) = signal {
        return match signal {
            // Rust's own words before it aborts.
            6 if said("has overflowed its stack") => Cause::StackOverflow,
            6 if said("memory allocation of") => Cause::OutOfMemory,
            4 | 5 | 6 | 8 => Cause::Exception,
            7 | 10 | 11 => Cause::Segfault,
            1 | 2 | 3 | 9 | 15 => Cause::ExternalTermination,
            _ => Cause::Unknown,
        };
    }
    // Windows says it with the code alone.
    match code.map(i32::cast_unsigned) {
        Some(0xC000_0005) => Cause::Segfault,
        Some(0xC000_00FD) => Cause::StackOverflow,
        Some(0xC000_0017 | 0xC000_012D) => Cause::OutOfMemory,
        Some(0xC000_0409) if said("memory allocation of") => Cause::OutOfMemory,
        Some(0xC000_0135 | 0xC000_0139 | 0xC000_0142 | 127) => Cause::ServiceFailure,
        Some(0xC000_013A) => Cause::ExternalTermination,
        None | Some(0) => Cause::Unknown,
        Some(_) => Cause::Exception,
    }
}

/// `busy`: it had tasks in flight. `registered`: it had come so far as to register.
pub(super) const fn severity(cause: Cause, busy: bool, registered: bool) -> Severity {
    match cause {
        _ if !registered => Severity::Fatal,
        Cause::Segfault | Cause::StackOverflow | Cause::OutOfMemory | Cause::WatchdogTimeout => {
            Severity::High
        }
        _ if busy => Severity::Medium,
        Cause::Exception | Cause::ServiceFailure => Severity::Medium,
        Cause::ExternalTermination | Cause::Unknown => Severity::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_codes_and_last_words_tell_the_cause() {
        let silent: &[&str] = &[];
        let windows = |code: u32| (Some(code.cast_signed()), None);
        for (expected, (code, signal), log) in [
            (Cause::ExternalTermination, (None, Some(9)), silent),
            (Cause::ExternalTermination, (Some(137), None), silent),
            (Cause::Segfault, (None, Some(11)), silent),
            (Cause::Exception, (None, Some(6)), &["thread 'main' panicked"]),
            (Cause::StackOverflow, (None, Some(6)), &["thread 'main' (7) has overflowed its stack"]),
            (Cause::OutOfMemory, (None, Some(6)), &["memory allocation of 64 bytes failed"]),
            (Cause::Exception, (Some(101), None), silent),
            (Cause::Exception, (Some(1), None), silent),
            (Cause::ServiceFailure, (Some(127), None), silent),
            (Cause::Unknown, (Some(0), None), silent),
            (Cause::Segfault, windows(0xC000_0005), silent),
            (Cause::StackOverflow, windows(0xC000_00FD), silent),
            (Cause::Exception, windows(0xC000_0409), silent),
            (Cause::OutOfMemory, windows(0xC000_0409), &["memory allocation of 64 bytes failed"]),
            (Cause::ExternalTermination, windows(0xC000_013A), silent),
        ] {
            let log: Vec<String> = log.iter().map(ToString::to_string).collect();
            assert_eq!(cause(code, signal, &log), expected, "{code:?} {signal:?} {log:?}");
        }
    }

    #[test]
    fn a_worker_that_never_registered_is_worst() {
        assert_eq!(severity(Cause::Exception, false, false), Severity::Fatal);
        assert!(severity(Cause::Segfault, false, true) > severity(Cause::ExternalTermination, true, true));
        assert!(
            severity(Cause::ExternalTermination, true, true)
                > severity(Cause::ExternalTermination, false, true)
        );
    }
}
