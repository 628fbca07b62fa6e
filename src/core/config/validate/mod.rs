//! Rules that the types cannot hold: ranges, and settings that must go together.

mod autoscale;
mod handlers;
mod limits;
mod pools;
mod restart;
mod rules;
pub(super) mod servers;
mod tasks;
mod tenants;
mod worker;

use std::time::Duration;

use humantime::format_duration;

use super::{Config, key::Key, report::Report};

pub(super) fn validate(config: &Config, report: &mut Report) {
    servers::check(config, report);
    tenants::check(&config.api.tokens, report);
    tasks::check(config, report);
    rules::check(&config.rules, report);
    worker::check(config, report);
    autoscale::check(&Key::from("autoscale"), &config.autoscale, report);
    pools::check(config, report);
    handlers::check(&config.handlers, report);
}

/// A duration that must not be zero.
fn positive(key: impl Into<Key>, span: Duration, report: &mut Report) {
    if span.is_zero() {
        report.refuse(&key.into(), "0s", "it must be longer than zero", "write for example \"5s\"");
    }
}

/// A count that must not be zero.
fn at_least_one(key: &Key, count: u64, report: &mut Report) {
    if count == 0 {
        report.refuse(key, 0, "it must be 1 or more", "write a larger number");
    }
}

/// Durations that must be in order.
fn ordered(small: (impl Into<Key>, Duration), large: (impl Into<Key>, Duration), report: &mut Report) {
    let ((small, short), (large, long)) = ((small.0.into(), small.1), (large.0.into(), large.1));
    if short > long {
        let rule = format!("it must not be longer than {large} ({})", format_duration(long));
        let fix = format!("shorten it, or raise {large}");
        report.conflict(&[&small, &large], format_duration(short), rule, fix);
    }
}
