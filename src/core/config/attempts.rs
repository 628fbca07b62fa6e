//! The section `[attempts]`.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report, size};
use crate::task::span;

/// Every write of lines copies what is there.
const LONGEST_LOG: ByteSize = ByteSize::mib(1);
/// It is kept with each finished task, and written in the step that ends its last attempt.
const LONGEST_PAYLOAD: ByteSize = ByteSize::kib(256);

/// What is kept of each attempt, for people who look at its task.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeptAttempts {
    /// Bytes of an attempt's log; the oldest lines go first. None: no logs are kept.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub logs: ByteSize,
    /// How long a task's logs are kept after their last line. Zero: no logs are kept.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub keep_logs: Duration,
    /// A payload up to this size is kept with its task's end, for as long as the result.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub payload: ByteSize,
}

impl Default for KeptAttempts {
    fn default() -> Self {
        Self {
            logs: ByteSize::kib(64),
            keep_logs: Duration::from_secs(7 * 24 * 3600),
            payload: ByteSize::kib(1),
        }
    }
}

impl KeptAttempts {
    /// Bytes of each attempt's log, and how long it is kept; none where no logs are kept.
    pub fn log(&self) -> Option<(usize, Duration)> {
        let bytes = usize::try_from(self.logs.as_u64()).ok()?;
        (bytes > 0 && !self.keep_logs.is_zero()).then_some((bytes, self.keep_logs))
    }

    pub(super) fn check(&self, report: &mut Report) {
        for (key, size, most, example) in [
            ("attempts.logs", self.logs, LONGEST_LOG, "64 KiB"),
            ("attempts.payload", self.payload, LONGEST_PAYLOAD, "1 KiB"),
        ] {
            if size > most {
                let rule = format!("it must be {most} at most");
                let fix = format!("write for example \"{example}\", or 0 to keep none");
                report.refuse(&Key::from(key), size, rule, fix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{load, report};

    #[test]
    fn nothing_switches_logs_off() {
        assert_eq!(KeptAttempts::default().log(), Some((64 << 10, Duration::from_secs(7 * 24 * 3600))));
        for text in ["attempts.logs = 0", "attempts.keep_logs = '0s'"] {
            assert_eq!(load(text, &[], &[]).unwrap().attempts.log(), None, "{text}");
        }
    }

    #[test]
    fn what_would_cost_every_task_much_is_refused() {
        for text in ["attempts.logs = '2 MiB'", "attempts.payload = '1 MiB'"] {
            let fault = report(text);
            assert!(fault.contains("attempts.") && fault.contains("or 0 to keep none"), "{fault}");
        }
    }
}
