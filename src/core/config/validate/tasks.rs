use std::time::Duration;

use bytesize::ByteSize;
use humantime::format_duration;

use super::{Config, Key, Report, at_least_one, ordered, positive};
use crate::{
    config::{Limits, RetryPolicy},
    task::Priority,
};

/// The deepest payload that every decoder on its way takes: serde_json stops at 128 levels, the envelope
/// included.
const DEEPEST: u16 = 120;
/// Above this a payload belongs into a store of files; brokers copy each message several times.
const LARGEST: ByteSize = ByteSize::mib(64);

pub(super) fn check(config: &Config, report: &mut Report) {
    limits(&config.limits, report);
    classes(config, report);
    at_least_one(&Key::from("queues.limit"), config.queues.limit, report);
    for (queue, limit) in &config.queues.limits {
        at_least_one(&Key::from("queues.limits").name(queue.name()), *limit, report);
    }
    let doubt = config.queues.doubt;
    if !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&doubt) {
        let rule = "messages are on their way for moments: it must be 1s to 1h";
        report.refuse(&Key::from("queues.doubt"), format_duration(doubt), rule, "write for example \"15s\"");
    }
    positive("results.dedupe", config.results.dedupe, report);
    positive("results.dead", config.results.dead, report);
    ordered(("results.ttl", config.results.ttl), ("limits.result_ttl", config.limits.result_ttl), report);
    for (name, policy) in &config.retry.0 {
        retry(&Key::from("retry").name(name), policy, &config.limits, report);
    }
    pacing(config, report);
}

fn limits(limits: &Limits, report: &mut Report) {
    size("limits.payload", limits.payload, report);
    size("limits.result", limits.result, report);
    if limits.depth == 0 || limits.depth > DEEPEST {
        let rule = format!("payloads are read to a depth of 1 to {DEEPEST}");
        report.refuse(&Key::from("limits.depth"), limits.depth, rule, "write for example 64");
    }
    // AMQP carries names in strings of at most 255 bytes.
    if limits.name == 0 || limits.name > 255 {
        let rule = "names have 1 to 255 bytes";
        report.refuse(&Key::from("limits.name"), limits.name, rule, "write for example 128");
    }
    at_least_one(&Key::from("limits.batch"), u64::from(limits.batch), report);
    at_least_one(&Key::from("limits.attempts"), u64::from(limits.attempts), report);
    positive("limits.timeout", limits.timeout, report);
    positive("limits.ttl", limits.ttl, report);
}

fn size(key: &str, size: ByteSize, report: &mut Report) {
    if size == ByteSize(0) || size > LARGEST {
        report.refuse(
            &Key::from(key),
            size,
            format!("it must be 1 B to {LARGEST}"),
            "write for example \"256 KiB\"",
        );
    }
}

fn classes(config: &Config, report: &mut Report) {
    for priority in Priority::ALL {
        let class = config.classes.get(priority);
        let [sla, ttl, timeout] = ["sla", "ttl", "timeout"].map(|name| format!("classes.{priority}.{name}"));
        positive(sla.as_str(), class.sla, report);
        positive(ttl.as_str(), class.ttl, report);
        positive(timeout.as_str(), class.timeout, report);
        // A task that expires within its SLA would be called dead while it is still on time.
        ordered((sla.as_str(), class.sla), (ttl.as_str(), class.ttl), report);
        ordered((timeout.as_str(), class.timeout), ("limits.timeout", config.limits.timeout), report);
    }
}

fn retry(key: &Key, policy: &RetryPolicy, limits: &Limits, report: &mut Report) {
    if policy.retries >= limits.attempts {
        let rule = format!("with the first attempt it is more than limits.attempts ({})", limits.attempts);
        let keys = [&key.name("retries"), &Key::from("limits.attempts")];
        report.conflict(&keys, policy.retries, rule, "lower it, or raise limits.attempts");
    }
    if policy.first > policy.max {
        let rule =
            format!("the first wait is longer than {} ({})", key.name("max"), format_duration(policy.max));
        let keys = [&key.name("first"), &key.name("max")];
        report.conflict(&keys, format_duration(policy.first), rule, "shorten it, or raise max");
    }
    if policy.first.is_zero() && (policy.retries > 0 || !policy.max.is_zero()) {
        let rule = "a first wait of nothing never grows, and would hammer what has just failed";
        report.conflict(&[&key.name("first"), &key.name("retries")], "0s", rule, "write for example \"1s\"");
    }
}

fn pacing(config: &Config, report: &mut Report) {
    let rate = config.pacing.per_second;
    if !rate.is_finite() || rate <= 0.0 {
        let rule = "it must be more than zero, or background tasks never start";
        report.refuse(&Key::from("pacing.per_second"), rate, rule, "write for example 100.0");
    }
    at_least_one(&Key::from("pacing.burst"), u64::from(config.pacing.burst), report);
}
