use std::time::Duration;

use super::{Pool, PoolDriver};
use crate::{
    config::{
        Config,
        tests::{load, report},
    },
    task::Queue,
};

fn pool(text: &str) -> (Config, Pool) {
    let config = load(&format!("[[pools]]\nname = \"main\"\n{text}"), &[], &[]).unwrap();
    let pool = config.pools[0].clone();
    (config, pool)
}

#[test]
fn a_pool_changes_single_keys_of_the_section() {
    let text = "max = 7\nautoscale = { every = \"2s\", target = { busy = 50 } }\n[autoscale]\nmin = \
        3\nper_minute = 4";
    let (config, pool) = pool(text);
    let scale = pool.autoscale(&config.autoscale);
    assert_eq!((scale.min, scale.max, scale.per_minute), (3, 7, 4));
    assert_eq!((scale.every, config.autoscale.every), (Duration::from_secs(2), Duration::from_secs(5)));
    assert_eq!((scale.target.busy, scale.target.drain), (50.0, config.autoscale.target.drain));
    assert_eq!(scale.policies, config.autoscale.policies);
    let dump = config.to_toml();
    assert_eq!(load(&dump, &[], &[]).unwrap().to_toml(), dump);
}

#[test]
fn a_pool_is_of_fixed_size_or_has_bounds() {
    let bounds = |text: &str| {
        let (config, pool) = pool(text);
        let scale = pool.autoscale(&config.autoscale);
        (scale.min, scale.max)
    };
    assert_eq!(bounds("workers = 4"), (4, 4));
    assert_eq!(bounds("min = 2\nmax = 200"), (2, 200));
    assert_eq!(bounds(""), (1, 100));
}

#[test]
fn queues_go_by_their_own_names_and_by_priorities() {
    let (_, pool) = pool("queues = [\"critical.p0\", \"P2\", \"p3\", \"P6\"]");
    assert_eq!(pool.queues, Some(vec![Queue::P0, Queue::High, Queue::Background]));
}

const RULES: &str = r#"
[[handlers]]
kind = "email.*"
http.url = "http://localhost/"
[[handlers]]
kind = "report.*"
http.url = "http://localhost/"
[[rules]]
kinds = ["email.*"]
tiers = ["enterprise"]
priority = "P2"
[[rules]]
kinds = ["email.send", "report.daily"]
priority = "P5"
[[rules]]
kinds = ["report.*"]
priority = "P6"
"#;

#[test]
fn kinds_stand_for_the_queues_on_which_the_rules_put_them() {
    let served = |text: &str| {
        let (config, pool) = pool(&format!("{text}\n{RULES}"));
        config.served(&pool)
    };
    assert_eq!(
        served("kinds = [\"email.send\"]"),
        [Queue::High, Queue::P5],
        "the first rule may hold or not"
    );
    assert_eq!(served("kinds = [\"email.other\"]"), [Queue::High, Queue::P4], "P4 is the default class");
    assert_eq!(served("kinds = [\"email.*\"]"), [Queue::High, Queue::P4, Queue::P5]);
    assert_eq!(served("kinds = [\"report.daily\"]"), [Queue::P5], "later rules have nothing to say");
    assert_eq!(served("kinds = [\"report.*\"]"), [Queue::P5, Queue::Background]);
    assert_eq!(
        served("kinds = [\"report.daily\"]\nqueues = [\"P0\"]"),
        [Queue::P0, Queue::P5],
        "beside queues"
    );
    assert_eq!(served("kinds = [\"clawpool.noop\"]"), [Queue::P4], "what every worker runs");
    assert_eq!(served(""), Queue::ALL);
}

#[test]
fn a_pool_names_kinds_that_somebody_can_run() {
    let text = "[[pools]]\nname = \"main\"\nkinds = [\"email.*\", \"emial.*\", \"a b\", \"email.*\", \
        \"zzz\"]\n\
                [[pools]]\nname = \"own\"\ncommand = [\"./my-worker\"]\nkinds = [\"anything.it.likes\"]\n";
    insta::assert_snapshot!(report(&format!("{text}{RULES}")));
}

#[test]
fn a_driver_says_where_the_workers_run() {
    assert_eq!(pool("").1.driver, PoolDriver::Process);
    let docker = PoolDriver::Docker { service: "worker-llm".into() };
    assert_eq!(pool("driver = { docker = { service = \"worker-llm\" } }").1.driver, docker);
    let pods = PoolDriver::Kubernetes { namespace: "pool".into(), deployment: "worker".into() };
    assert_eq!(pool("driver.kubernetes = { namespace = \"pool\", deployment = \"worker\" }").1.driver, pods);
}

#[test]
fn inv_9_pools_that_cannot_work_are_refused() {
    let text = r#"
[[pools]]
name = "main"
workers = 2
max = 3
slots = 0

[[pools]]
name = "main"
min = 9
max = 3
driver = "rocket"

[[pools]]
name = "a/b"
min = 200
queues = ["P9"]

[[pools]]
name = "own"
max = 0
queues = ["high", "high"]
driver = { docker = { service = "" } }
autoscale = { every = "0s", policies = [{ name = "never", metric = "cpu", above = 100, add = 1 }] }

[[pools]]
name = "metric"
autoscale = { evry = "0s", policies = [{ name = "a", metric = "cpuu", above = 10, add = 1 }] }
"#;
    insta::assert_snapshot!(report(text));
}
