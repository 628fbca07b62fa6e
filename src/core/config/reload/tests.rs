use std::collections::BTreeSet;

use serde_json::Value;

use super::reach::{Reach, TABLE, reach};
use crate::config::{Config, tests::load};

/// The value of each row before and after, as a file has it.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("profile", "profile = 'embedded'", "profile = 'cluster'"),
    ("embedded", "embedded.data = 'a'", "embedded.data = 'b'"),
    ("redis", "redis.url = 'redis://:one@127.0.0.1'", "redis.url = 'redis://:two@127.0.0.1'"),
    ("rabbitmq", "rabbitmq.url = 'amqp://a:one@127.0.0.1'", "rabbitmq.url = 'amqp://a:two@127.0.0.1'"),
    ("lanes", "lanes.normal = 'redis'", "lanes.normal = 'rabbitmq'"),
    ("api.listen", "api.listen = '127.0.0.1:1'", "api.listen = '127.0.0.1:2'"),
    ("api.connections", "api.connections = 1", "api.connections = 2"),
    ("api.streams", "", "api.streams = 7"),
    ("api.tokens", TOKEN_ONE, TOKEN_TWO),
    ("api.read_only", "", "api.read_only = true"),
    ("api.tls", "", "api.tls = { certificate = 'a.pem', key = 'a.key' }"),
    ("limits.payload", "", "limits.payload = 1000"),
    ("limits.depth", "", "limits.depth = 10"),
    ("limits.delay", "", "limits.delay = '2h'"),
    ("limits.ttl", "", "limits.ttl = '300days'"),
    ("limits.timeout", "", "limits.timeout = '20h'"),
    ("limits.attempts", "", "limits.attempts = 50"),
    ("limits.result_ttl", "", "limits.result_ttl = '20days'"),
    ("limits.name", "", "limits.name = 100"),
    ("limits.meta", "", "limits.meta = 1000"),
    ("limits.batch", "", "limits.batch = 10"),
    ("limits.queued", "", "limits.queued = 10"),
    ("queues", "", "[[queues]]\nname = 'a'\npriority = 'P4'"),
    ("limits.result", "", "limits.result = 1000"),
    ("classes", "", "classes.P4.ttl = '2h'"),
    ("rules", "", "[[rules]]\nkinds = ['a']\npriority = 'P1'"),
    ("results", "", "results.ttl = '2h'"),
    ("attempts", "", "attempts.logs = 1000"),
    ("retry", "", "retry.network.retries = 7"),
    ("pacing", "", "pacing.burst = 7"),
    ("handlers", HANDLER_ONE, HANDLER_TWO),
    ("worker.slots", "", "worker.slots = 7"),
    ("worker.reserved", "", "worker.reserved = 1"),
    ("worker.urgent_claim", "", "worker.urgent_claim = '5ms'"),
    ("worker.queues", "", "worker.queues = ['P4']"),
    ("worker.grace", "", "worker.grace = '31s'"),
    ("worker.stop_grace", "", "worker.stop_grace = '6s'"),
    ("worker.hold", "", "worker.hold = '200ms'"),
    ("worker.patience", "", "worker.patience.background = 7"),
    ("worker.heartbeat", "", "worker.heartbeat = '400ms'"),
    ("worker.lease", "", "worker.lease = '4s'"),
    ("worker.doubt", "", "worker.doubt = '20s'"),
    ("worker.crashes", "", "worker.crashes = 4"),
    ("autoscale", "", "autoscale.target.busy = 70"),
    ("pools", POOL, "pools = [{ name = 'other', workers = 1 }]"),
    ("pools[].name", POOL, "pools = [{ name = 'other', workers = 1 }]"),
    (
        "pools[].driver",
        POOL,
        "pools = [{ name = 'main', workers = 1, driver = { docker = { service = 'a' } } }]",
    ),
    ("pools[].workers", POOL, "pools = [{ name = 'main', workers = 2 }]"),
    ("pools[].min", MIN_MAX, "pools = [{ name = 'main', min = 2, max = 3 }]"),
    ("pools[].max", MIN_MAX, "pools = [{ name = 'main', min = 1, max = 4 }]"),
    ("pools[].autoscale", POOL, "pools = [{ name = 'main', workers = 1, autoscale = { every = '2s' } }]"),
    ("pools[].command", POOL, "pools = [{ name = 'main', workers = 1, command = ['a'] }]"),
    ("pools[].slots", POOL, "pools = [{ name = 'main', workers = 1, slots = 7 }]"),
    ("pools[].reserved", POOL, "pools = [{ name = 'main', workers = 1, reserved = 1 }]"),
    ("pools[].queues", POOL, "pools = [{ name = 'main', workers = 1, queues = ['P4'] }]"),
    ("pools[].kinds", POOL, "pools = [{ name = 'main', workers = 1, kinds = ['clawpool.sleep'] }]"),
    ("pools[].max_tasks", POOL, "pools = [{ name = 'main', workers = 1, max_tasks = 7 }]"),
    ("pools[].max_memory", POOL, "pools = [{ name = 'main', workers = 1, max_memory = '1 GiB' }]"),
    ("pools[].restart", POOL, "pools = [{ name = 'main', workers = 1, restart = { limit = 7 } }]"),
    ("health", "", "health.stalled = '40s'"),
    ("probes", "", "probes = [{ name = 'crm', layer = 'tcp', target = '127.0.0.1:5432' }]"),
    ("log.filter", "", "log.filter = 'debug'"),
    ("log.rotate", "", "log.rotate = 'daily'"),
    ("log.size", "", "log.size = 1000"),
    ("log.keep", "", "log.keep = 7"),
    ("log.format", "", "log.format = 'json'"),
    ("log.file", "", "log.file = 'a.log'"),
    ("log.event_source", "", "log.event_source = 'a'"),
    ("tracing", "", "tracing.sample = 0.1"),
];

const POOL: &str = "pools = [{ name = 'main', workers = 1 }]";
const MIN_MAX: &str = "pools = [{ name = 'main', min = 1, max = 3 }]";
const TOKEN_ONE: &str = "[[api.tokens]]\nname = 'a'\nsecret = '6b1f0c9ad27e4835'\nscopes = ['read']";
const TOKEN_TWO: &str = "[[api.tokens]]\nname = 'a'\nsecret = '0c9ad27e48356b1f'\nscopes = ['read']";
const HANDLER_ONE: &str = "[[handlers]]\nkind = 'a'\nexec = { command = ['a'], env = { KEY = 'one' } }";
const HANDLER_TWO: &str = "[[handlers]]\nkind = 'a'\nexec = { command = ['a'], env = { KEY = 'two' } }";

/// Only Windows takes it, so no example of it loads elsewhere.
const ELSEWHERE: [&str; 1] = ["pools[].limits"];

fn read(text: &str) -> Config {
    load(text, &[], &[]).unwrap_or_else(|errors| panic!("{text}: {errors}"))
}

/// The keys that hold values, of all that the schema knows.
fn leaves(root: &Value, node: &Value, key: &str, found: &mut BTreeSet<String>) {
    let mut node = node;
    loop {
        if let Some(name) = node["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            node = &root["$defs"][name];
        } else if let Some(choice) = node["anyOf"].as_array().and_then(|choices| choices.first()) {
            node = choice;
        } else {
            break;
        }
    }
    match node["properties"].as_object() {
        Some(properties) => properties.iter().for_each(|(name, node)| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            leaves(root, node, &key, found);
        }),
        None if node["items"]["$ref"].is_string() => leaves(root, &node["items"], &format!("{key}[]"), found),
        None => drop(found.insert(key.to_owned())),
    }
}

#[test]
fn every_key_of_the_configuration_is_in_the_table() {
    let schema = Config::schema();
    let mut keys = BTreeSet::new();
    leaves(&schema, &schema, "", &mut keys);
    assert!(keys.len() > 100 && keys.contains("pools[].restart.breaker.open"), "{keys:?}");
    let lost: Vec<_> = keys.iter().filter(|key| reach(key).is_none()).collect();
    assert!(lost.is_empty(), "not in the table: {lost:?}");
    let top = |key: &&String| !key.contains(['.', '[']);
    assert!(keys.iter().filter(top).all(|key| reach(key).is_some()));
}

/// What the table says of a key is what becomes of it.
#[test]
fn the_table_is_true() {
    for (row, before, after) in EXAMPLES {
        let (running, new) = (read(before), read(after));
        let changes = running.changes(&new);
        let is_row = |key: &String| key.starts_with(&row.split("[]").next().unwrap().to_owned());
        assert!(!changes.is_empty() && changes.iter().all(is_row), "{row}: {changes:?}");
        let adopted = running.adopt(&new);
        let left = adopted.config.changes(&new);
        let restart = TABLE.iter().any(|(key, reach)| key == row && *reach == Reach::Restart);
        assert_eq!(left.is_empty(), !restart, "{row}: {left:?}");
        let told = adopted.changes.iter().any(|(_, reach)| *reach == Reach::Restart);
        assert_eq!(told, restart, "{row}: {:?}", adopted.changes);
    }
}

#[test]
fn every_row_has_an_example() {
    let rows: BTreeSet<&str> = TABLE.iter().map(|(key, _)| *key).collect();
    let shown: BTreeSet<&str> = EXAMPLES.iter().map(|(key, ..)| *key).chain(ELSEWHERE).collect();
    assert_eq!(rows, shown);
}

#[test]
fn what_does_not_go_together_waits_for_a_restart() {
    let running = read("");
    let new = read("[[queues]]\nname = 'a'\npriority = 'P4'\n[[rules]]\nkinds = ['b']\nqueue = 'a'");
    let adopted = running.adopt(&new);
    assert_eq!(adopted.config.to_toml(), running.to_toml(), "the rule names a queue that is not there yet");
    assert!(adopted.changes.iter().all(|(_, reach)| *reach == Reach::Restart), "{:?}", adopted.changes);
    assert_eq!(adopted.changes.len(), 2);
}

#[test]
fn what_needs_a_restart_is_told_each_time_and_the_rest_once() {
    let running = read("");
    let new = read("worker.lease = '4s'\nlog.filter = 'debug'");
    let first = running.adopt(&new);
    assert_eq!(first.changes.len(), 2);
    let second = first.config.adopt(&new);
    assert_eq!(second.changes, [("worker.lease".to_owned(), Reach::Restart)]);
}
