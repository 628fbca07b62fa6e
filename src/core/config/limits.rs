//! The section `[limits]`.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report, size};
use crate::task::span;

/// The deepest payload that every decoder on its way takes: serde_json stops at 128 levels, the envelope
/// included.
const DEEPEST: u16 = 120;
/// Above this a payload belongs into a store of files; brokers copy each message several times.
const LARGEST: ByteSize = ByteSize::mib(64);

/// What is refused at the door (design §4).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of one task's payload, as MessagePack.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub payload: ByteSize,
    /// Nesting of a payload.
    pub depth: u16,
    /// How far ahead a task may be planned.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub delay: Duration,
    /// How long a task may ask to wait for its start.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub ttl: Duration,
    /// How long a task may ask one attempt to run.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How many attempts a task may ask for.
    pub attempts: u32,
    /// How long a task may ask its result to be kept.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub result_ttl: Duration,
    /// Bytes of a kind, tenant, session or unique key.
    pub name: u16,
    /// Names and values of a task's `meta` together.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub meta: ByteSize,
    /// Tasks in one request.
    pub batch: u16,
    /// Tasks that may wait on each queue; one that is full refuses more (503 with Retry-After).
    pub queued: u64,
    /// Of one handler's result.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub result: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        // What humantime calls "1year".
        const YEAR: Duration = Duration::from_secs(31_557_600);
        Self {
            payload: ByteSize::kib(256),
            depth: 64,
            delay: YEAR,
            ttl: YEAR,
            timeout: DAY,
            attempts: 100,
            result_ttl: 30 * DAY,
            name: 128,
            meta: ByteSize::kib(4),
            batch: 1000,
            queued: 2_000_000,
            result: ByteSize::mib(1),
        }
    }
}

impl Limits {
    pub(super) fn check(&self, report: &mut Report) {
        check_size("limits.payload", self.payload, report);
        check_size("limits.result", self.result, report);
        check_size("limits.meta", self.meta, report);
        if self.depth == 0 || self.depth > DEEPEST {
            let rule = format!("payloads are read to a depth of 1 to {DEEPEST}");
            report.refuse(&Key::from("limits.depth"), self.depth, rule, "write for example 64");
        }
        // AMQP carries names in strings of at most 255 bytes.
        if self.name == 0 || self.name > 255 {
            let rule = "names have 1 to 255 bytes";
            report.refuse(&Key::from("limits.name"), self.name, rule, "write for example 128");
        }
        report.at_least_one("limits.batch", self.batch);
        report.at_least_one("limits.queued", self.queued);
        report.at_least_one("limits.attempts", self.attempts);
        report.positive("limits.timeout", self.timeout);
        report.positive("limits.ttl", self.ttl);
    }
}

fn check_size(key: &str, size: ByteSize, report: &mut Report) {
    if size == ByteSize(0) || size > LARGEST {
        let rule = format!("it must be 1 B to {LARGEST}");
        report.refuse(&Key::from(key), size, rule, "write for example \"256 KiB\"");
    }
}
