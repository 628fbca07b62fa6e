use std::time::Duration;

use super::{Restart, RestartPolicy};
use crate::config::tests::{load, report};

fn said(text: &str) -> String {
    report(&format!("[[pools]]\nname = \"main\"\n{text}"))
}

fn restart(text: &str) -> Restart {
    let config = load(&format!("[[pools]]\nname = \"main\"\n[pools.restart]\n{text}"), &[], &[]).unwrap();
    config.pools[0].restart.clone()
}

/// One rule after the other, so that each is seen to be refused by itself.
#[test]
fn inv_9_restarts_and_limits_that_cannot_work_are_refused_with_key_value_and_fix() {
    let wrong = [
        ("max_tasks = 0", "pools[0].max_tasks = 0", "it must be 1 or more"),
        ("max_memory = \"10 kB\"", "pools[0].max_memory", "no worker runs in less than 1 MiB"),
        ("max_memory = \"much\"", "pools[0].max_memory", "much"),
        ("restart.policy = \"sometimes\"", "pools[0].restart.policy = \"sometimes\"", "unknown variant"),
        ("restart.initial = \"0s\"", "pools[0].restart.initial = 0s", "longer than zero"),
        ("restart.window = \"0s\"", "pools[0].restart.window = 0s", "longer than zero"),
        ("restart.breaker.window = \"0s\"", "pools[0].restart.breaker.window = 0s", "longer than zero"),
        ("restart.breaker.open = \"0s\"", "pools[0].restart.breaker.open = 0s", "longer than zero"),
        ("restart.limit = 0", "pools[0].restart.limit = 0", "it must be 1 or more"),
        ("restart.per_hour = 0", "pools[0].restart.per_hour = 0", "it must be 1 or more"),
        ("restart.breaker.failures = 0", "pools[0].restart.breaker.failures = 0", "it must be 1 or more"),
        ("restart.factor = 0.5", "pools[0].restart.factor = 0.5", "waits never become shorter"),
        ("restart.factor = nan", "pools[0].restart.factor", "waits never become shorter"),
        ("restart.initial = \"1h\"", "pools[0].restart.initial = 1h", "longer than the longest wait (30s)"),
        (
            "restart = { policy = \"none\", limit = 3 }",
            "pools[0].restart.policy = \"none\"",
            "never replaced",
        ),
        ("restart.polcy = \"none\"", "pools[0].restart.polcy", "policy"),
    ];
    for (text, key, rule) in wrong {
        let said = said(text);
        assert!(said.contains("CP-10") && said.contains(key) && said.contains(rule), "{text}: {said}");
    }
}

#[test]
fn waits_and_limits_follow_the_policy() {
    let seconds = Duration::from_secs;
    let quick = restart("");
    assert_eq!(
        (quick.policy, quick.initial(), quick.max()),
        (RestartPolicy::Immediate, seconds(1) / 2, seconds(30))
    );
    assert_eq!(quick.per_hour(), None);
    let slow = restart("policy = \"exponential\"");
    assert_eq!((slow.initial(), slow.max(), slow.per_hour()), (seconds(5), seconds(300), Some(10)));
    let own = restart("policy = \"delayed\"\ninitial = \"7s\"\nper_hour = 3");
    assert_eq!((own.initial(), own.per_hour(), own.limit), (seconds(7), Some(3), 30));
}
