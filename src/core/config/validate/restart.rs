use humantime::format_duration;

use super::{Key, Report, at_least_one};
use crate::config::{Pool, Restart, RestartPolicy};

pub(super) fn check(key: &Key, pool: &Pool, report: &mut Report) {
    restart(&key.name("restart"), &pool.restart, report);
    if let Some(tasks) = pool.max_tasks {
        at_least_one(&key.name("max_tasks"), tasks, report);
    }
    if let Some(memory) = pool.max_memory
        && memory.as_u64() < bytesize::MIB
    {
        let rule = "no worker runs in less than 1 MiB";
        report.refuse(&key.name("max_memory"), memory, rule, "write for example \"512 MiB\"");
    }
}

fn restart(key: &Key, restart: &Restart, report: &mut Report) {
    let spans = [
        ("window", restart.window),
        ("breaker.window", restart.breaker.window),
        ("breaker.open", restart.breaker.open),
    ];
    for (name, span) in spans.into_iter().chain(restart.initial.map(|span| ("initial", span))) {
        if span.is_zero() {
            let key = name.split('.').fold(key.clone(), |key, step| key.name(step));
            report.refuse(&key, "0s", "it must be longer than zero", "write for example \"5s\"");
        }
    }
    at_least_one(&key.name("limit"), restart.limit.into(), report);
    at_least_one(&key.name("breaker").name("failures"), restart.breaker.failures.into(), report);
    if let Some(hour) = restart.per_hour {
        at_least_one(&key.name("per_hour"), hour.into(), report);
    }
    if !restart.factor.is_finite() || restart.factor < 1.0 {
        report.refuse(&key.name("factor"), restart.factor, "waits never become shorter", "write 1 or more");
    }
    if restart.initial() > restart.max() {
        let rule = format!("it is longer than the longest wait ({})", format_duration(restart.max()));
        let keys = [&key.name("initial"), &key.name("max")];
        report.conflict(&keys, format_duration(restart.initial()), rule, "shorten it, or raise max");
    }
    if restart.policy == RestartPolicy::None
        && *restart != (Restart { policy: RestartPolicy::None, ..Restart::default() })
    {
        let rule = "a worker that is never replaced has no waits and no limits";
        report.conflict(
            &[&key.name("policy")],
            "\"none\"",
            rule,
            "take the other settings out, or choose another policy",
        );
    }
}
