use super::*;
use crate::{config::PoolDriver, task::Queue};

fn pool(text: &str) -> (Config, Pool) {
    let config = load(&format!("[[pools]]\nname = \"main\"\n{text}"), &[], &[]).unwrap();
    let pool = config.pools[0].clone();
    (config, pool)
}

#[test]
fn a_pool_changes_single_keys_of_the_section() {
    let text = "max = 7\nautoscale = { every = \"2s\", target = { busy = 50 } }\n[autoscale]\nmin = 3\nper_minute = 4";
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
