mod hostile;
mod mistakes;
mod secrets;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::ExposeSecret;
use toml::{Table, Value};

use super::*;
use crate::task::{Priority, Queue};

pub(super) fn load(
    text: &str,
    environment: &[(&str, &str)],
    overrides: &[&str],
) -> Result<Config, ConfigErrors> {
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Config::load_from(|sources| sources.text(text, "pool.toml"), &environment, &overrides)
}

pub(super) fn report(text: &str) -> String {
    load(text, &[], &[]).unwrap_err().to_string()
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

/// Every key of a table, dotted, without the elements of lists.
fn keys(table: &Table, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        if let Value::Table(inner) = value {
            keys(inner, &format!("{key}."), found);
        }
        found.insert(key);
    }
}

#[test]
fn the_default_file_is_the_built_in_default() {
    let loaded = Config::load(Some(&shipped("default.toml")), &[]).unwrap();
    let built_in = Config::default();
    assert_eq!(loaded.to_toml(), built_in.to_toml());
    assert_eq!(loaded.redis.url.expose_secret(), built_in.redis.url.expose_secret());
    assert_eq!(loaded.rabbitmq.url.expose_secret(), built_in.rabbitmq.url.expose_secret());
    assert_eq!(load("", &[], &[]).unwrap().to_toml(), built_in.to_toml());
}

/// RabbitMQ gives its messages to another one when it has missed up to three heartbeats.
#[test]
fn a_worker_that_stands_still_is_missed_within_ten_seconds() {
    assert!(Config::default().rabbitmq.heartbeat * 3 < std::time::Duration::from_secs(8));
}

#[test]
fn the_default_file_has_every_key() {
    let text = std::fs::read_to_string(shipped("default.toml")).unwrap();
    let mut written = BTreeSet::new();
    let mut known = BTreeSet::new();
    keys(&toml::from_str(&text).unwrap(), "", &mut written);
    keys(&Table::try_from(Config::default()).unwrap(), "", &mut known);
    // Lists of tables that are empty by default: as keys they would stop the user from adding the first
    // entry.
    written.extend(["handlers", "pools", "probes", "queues", "api.tokens"].map(str::to_owned));
    assert_eq!(written, known);
    // Settings that are absent by default stand there as comments.
    let schema = Config::schema();
    for name in [
        "Log",
        "HandlerSpec",
        "Exec",
        "Http",
        "Pool",
        "Probe",
        "QueueSettings",
        "Token",
        "Tls",
        "Rule",
        "Policy",
    ] {
        for field in schema["$defs"][name]["properties"].as_object().unwrap().keys() {
            assert!(text.contains(field.as_str()), "default.toml does not mention {field} of {name}");
        }
    }
}

#[test]
fn the_production_file_loads() {
    let text = std::fs::read_to_string(shipped("production.toml")).unwrap();
    let secrets = [
        ("CLAWPOOL_REDIS_URL", "redis://:x9Vb2kQe@redis:6379/0"),
        ("CLAWPOOL_RABBITMQ_URL", "amqp://pool:x9Vb2kQe@rabbitmq:5672/pool"),
        ("CLAWPOOL_PRODUCER_TOKEN", "producer-token-1"),
        ("CLAWPOOL_AGENT_TOKEN", "agent-token-12345"),
        ("CLAWPOOL_ADMIN_TOKEN", "admin-token-12345"),
    ];
    let config = load(&text, &secrets, &[]).unwrap();
    assert_eq!(config.profile, Profile::Cluster);
    assert_eq!(config.redis.url.expose_secret(), "redis://:x9Vb2kQe@redis:6379/0");
    assert_eq!(config.queue_limits().get(Queue::P0), 2000);
    let lacking = load(&text, &secrets[1..], &[]).unwrap_err().to_string();
    assert!(lacking.contains("CP-1008 redis.url = env:CLAWPOOL_REDIS_URL"), "{lacking}");
    assert_eq!(lacking.lines().count(), 1, "{lacking}");
}

#[test]
fn a_dump_loads_again_and_is_the_same() {
    let own =
        "\n[[rules]]\nkinds = ['mine']\npriority = 'P1'\n[[rules]]\nkinds = ['voice.*']\npriority = 'P2'";
    for rules in
        ["rules = []", own, "classes.replace_rules = true", &format!("classes.replace_rules = true{own}")]
    {
        let config = load(&format!("worker.slots = 20\nlimits.payload = 1000\n{rules}"), &[], &[]).unwrap();
        let dump = config.to_toml();
        assert_eq!(load(&dump, &[], &[]).unwrap().to_toml(), dump);
        assert!(dump.contains("payload = \"1000 B\""), "{dump}");
    }
}

/// A kind of the shipped table keeps its priority when a user adds a rule for another one.
#[test]
fn own_rules_come_before_the_shipped_ones_and_replace_them_by_name_alone() {
    let own = "[[rules]]\nkinds = ['mine']\npriority = 'P1'";
    let extended = load(own, &[], &[]).unwrap();
    assert_eq!(extended.rules.iter().filter(|rule| !rule.is_shipped()).count(), 1);
    assert_eq!(
        (extended.rules[0].priority, &extended.rules[1..]),
        (Some(Priority::P1), &Config::default().rules[..])
    );
    let by_flag = load("", &[], &["rules=[{kinds=['mine'],priority='P1'}]"]).unwrap();
    assert_eq!(by_flag.rules, extended.rules);
    let replaced = load(&format!("classes.replace_rules = true\n{own}"), &[], &[]).unwrap();
    assert_eq!(replaced.rules, extended.rules[..1]);
    assert!(load("classes.replace_rules = true", &[], &[]).unwrap().rules.is_empty());
    // A shipped rule that one of the user's own leaves nothing is gone, which is no mistake.
    let all = load("[[rules]]\nkinds = ['*']\npriority = 'P6'", &[], &[]).unwrap();
    assert_eq!(all.rules.len(), 1);
}

/// `clawpool up` hands its overrides to its workers this way.
#[test]
fn an_override_and_its_variable_mean_the_same() {
    for text in [
        "worker.slots=13",
        "worker.patience.\"normal.p4\"=9",
        "retry.llm_rate_limit.retries=2",
        "classes.P0.sla=1s",
    ] {
        let (name, value) = as_variable(text).unwrap();
        let by_flag = load("", &[], &[text]).unwrap().to_toml();
        assert_eq!(load("", &[(&name, value)], &[]).unwrap().to_toml(), by_flag, "{name}");
        assert_ne!(by_flag, Config::default().to_toml());
    }
    assert_eq!(as_variable("nonsense"), None);
}

#[test]
fn sections_merge_with_the_defaults_at_every_level() {
    let text = "[classes.P0]\nttl = 30\n[retry.network]\nretries = 7\n[worker.patience]\n\"high.p2\" = 3";
    let config = load(text, &[], &[]).unwrap();
    assert_eq!(config.classes.p0.sla, Duration::from_millis(200));
    assert_eq!(config.classes.p0.ttl, Duration::from_secs(30));
    let network = &config.retry.0["network"];
    assert_eq!((network.retries, network.max), (7, Duration::from_secs(32)));
    assert_eq!(config.worker.patience_of(Queue::P2), Some(3));
    assert_eq!(config.worker.patience_of(Queue::P4), Some(32));
    assert_eq!(config.rabbitmq.url.expose_secret(), Config::default().rabbitmq.url.expose_secret());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text = "[worker]\nslots = 11\nreserved = 1\ncrashes = 4";
    let environment = [
        ("CLAWPOOL__WORKER__SLOTS", "12"),
        ("CLAWPOOL__WORKER__RESERVED", "3"),
        ("CLAWPOOL__CLASSES__P0__SLA", "100ms"),
        ("CLAWPOOL__WORKER__PATIENCE__NORMAL_P4", "5"),
        ("CLAWPOOL__REDIS__PREFIX", "007"),
        ("CLAWPOOL_CONFIG", "not a setting"),
    ];
    let overrides = [
        "worker.slots=13",
        "queues=[{name=\"critical.p0\",limit=9}]",
        "log.filter=debug",
        "worker.queues=[\"high\"]",
    ];
    let config = load(text, &environment, &overrides).unwrap();
    assert_eq!((config.worker.slots, config.worker.reserved, config.worker.crashes), (13, 3, 4));
    assert_eq!(config.classes.p0.sla, Duration::from_millis(100));
    assert_eq!(config.worker.patience_of(Queue::P4), Some(5));
    assert_eq!(config.redis.prefix, "007");
    assert_eq!(config.queue_limits().get(Queue::P0), 9);
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.served_by(&config.worker.queues), [Queue::P2, Queue::P3]);
}

/// So that the file of a section is found by its name.
#[test]
fn each_section_is_a_file_or_a_folder_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let schema = Config::schema();
    let sections = schema["properties"].as_object().unwrap().keys().filter(|name| *name != "profile");
    let lost = sections.filter(|name| {
        !folder.join(format!("{name}.rs")).is_file() && !folder.join(name).join("mod.rs").is_file()
    });
    assert_eq!(lost.collect::<Vec<_>>(), [""; 0]);
}
