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
    let (config, pool) = pool("queues = [\"critical.p0\", \"P2\", \"p3\", \"P6\"]");
    assert_eq!(config.served(&pool), [Queue::P0, Queue::P2, Queue::P3, Queue::P6]);
}

#[test]
fn a_pool_serves_exactly_the_queues_that_it_names() {
    let own = "[[queues]]\nname = \"llm.calls\"\npriority = \"P2\"\n\
        [[queues]]\nname = \"llm.batch\"\npriority = \"P6\"\n\
        [[queues]]\nname = \"browser\"\npriority = \"P3\"\nlane = \"critical\"\n\
        [[rules]]\nkinds = [\"clawpool.sleep\"]\nqueue = \"llm.batch\"";
    let served = |queues: &str| {
        let (config, pool) = pool(&format!("{queues}\n{own}"));
        config.served(&pool).into_iter().map(Queue::name).collect::<Vec<_>>()
    };
    assert_eq!(served("queues = [\"llm.*\"]"), ["llm.calls", "llm.batch"]);
    assert_eq!(served("queues = [\"browser\", \"P3\"]"), ["high.p3", "browser"]);
    assert_eq!(served("queues = [\"high\"]"), ["high.p2", "high.p3"], "the lane's own queues");
    assert_eq!(served("kinds = [\"clawpool.sleep\"]"), ["llm.batch"]);
    assert_eq!(served("").len(), 10, "all by default");
}

#[test]
fn inv_9_one_queue_for_p2_and_p3_is_served_whole() {
    let shared = "profile = \"cluster\"\nrabbitmq.high = \"priority\"\n[[pools]]\nname = \"llm\"\n";
    let refused = report(&format!("{shared}queues = [\"P2\"]"));
    assert!(refused.contains("CP-1007 pools[0].queues") && refused.contains("share a queue"), "{refused}");
    assert!(load(&format!("{shared}queues = [\"high\"]"), &[], &[]).is_ok());
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
    assert_eq!(served("kinds = [\"email.send\"]"), [Queue::P2, Queue::P5], "the first rule may hold or not");
    assert_eq!(served("kinds = [\"email.other\"]"), [Queue::P2, Queue::P4], "P4 is the default class");
    assert_eq!(served("kinds = [\"email.*\"]"), [Queue::P2, Queue::P4, Queue::P5]);
    assert_eq!(served("kinds = [\"report.daily\"]"), [Queue::P5], "later rules have nothing to say");
    assert_eq!(served("kinds = [\"report.*\"]"), [Queue::P5, Queue::P6]);
    assert_eq!(
        served("kinds = [\"report.daily\"]\nqueues = [\"P0\"]"),
        [Queue::P0, Queue::P5],
        "beside queues"
    );
    assert_eq!(served("kinds = [\"clawpool.noop\"]"), [Queue::P4], "what every worker runs");
    assert_eq!(served(""), Queue::CLASSES);
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
