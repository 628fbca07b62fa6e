//! The section `[retry]`: its checks. Its shape and defaults are what `crate::retry` decides by.

use humantime::format_duration;

use super::{
    Limits,
    reading::{Key, Report},
};
pub use crate::retry::{RetryPolicy, RetryTable};

pub(super) fn check(table: &RetryTable, limits: &Limits, report: &mut Report) {
    for (name, policy) in &table.0 {
        check_policy(&Key::from("retry").name(name), policy, limits, report);
    }
}

fn check_policy(key: &Key, policy: &RetryPolicy, limits: &Limits, report: &mut Report) {
    let retries = key.name("retries");
    let first = key.name("first");
    let max = key.name("max");
    if policy.retries >= limits.attempts {
        let rule = format!("with the first attempt it is more than limits.attempts ({})", limits.attempts);
        let keys = [&retries, &Key::from("limits.attempts")];
        report.conflict(&keys, policy.retries, rule, "lower it, or raise limits.attempts");
    }
    if policy.first > policy.max {
        let shown = format_duration(policy.first);
        let rule = format!("the first wait is longer than {max} ({})", format_duration(policy.max));
        report.conflict(&[&first, &max], shown, rule, "shorten it, or raise max");
    }
    if policy.first.is_zero() && (policy.retries > 0 || !policy.max.is_zero()) {
        let rule = "a first wait of nothing never grows, and would hammer what has just failed";
        report.conflict(&[&first, &retries], "0s", rule, "write for example \"1s\"");
    }
}
