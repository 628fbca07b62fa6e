use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::ExposeSecret;
use toml::{Table, Value};

use super::*;
use crate::task::{Priority, Queue};

fn load(text: &str, environment: &[(&str, &str)], overrides: &[&str]) -> Result<Config, ConfigErrors> {
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Config::load_from(|sources| sources.text(text, "pool.toml"), &environment, &overrides)
}

fn report(text: &str) -> String {
    load(text, &[], &[]).unwrap_err().to_string()
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
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

#[test]
fn the_default_file_has_every_key() {
    let text = std::fs::read_to_string(shipped("default.toml")).unwrap();
    let (mut written, mut known) = (BTreeSet::new(), BTreeSet::new());
    keys(&toml::from_str(&text).unwrap(), "", &mut written);
    keys(&Table::try_from(Config::default()).unwrap(), "", &mut known);
    // Lists of tables that are empty by default: as keys they would stop the user from adding the first entry.
    written.extend(["handlers", "pools", "api.tokens"].map(str::to_owned));
    assert_eq!(written, known);
    // Settings that are absent by default stand there as comments.
    let schema = Config::schema();
    for name in ["Log", "HandlerSpec", "Exec", "Http", "Pool", "Token", "Rule"] {
        for field in schema["$defs"][name]["properties"].as_object().unwrap().keys() {
            assert!(text.contains(field.as_str()), "default.toml does not mention {field} of {name}");
        }
    }
}

#[test]
fn the_production_file_loads() {
    let text = std::fs::read_to_string(shipped("production.toml")).unwrap();
    let secrets = [
        ("CLAWPOOL_REDIS_URL", "redis://:secret@redis:6379/0"),
        ("CLAWPOOL_RABBITMQ_URL", "amqp://pool:secret@rabbitmq:5672/pool"),
        ("CLAWPOOL_PRODUCER_TOKEN", "producer-token-1"),
        ("CLAWPOOL_AGENT_TOKEN", "agent-token-12345"),
        ("CLAWPOOL_ADMIN_TOKEN", "admin-token-12345"),
    ];
    let config = load(&text, &secrets, &[]).unwrap();
    assert_eq!(config.profile, Profile::Cluster);
    assert_eq!(config.redis.url.expose_secret(), "redis://:secret@redis:6379/0");
    assert_eq!(config.queues.get(Queue::P0), 2000);
    let lacking = load(&text, &secrets[1..], &[]).unwrap_err().to_string();
    assert!(lacking.contains("CP-1008 redis.url = env:CLAWPOOL_REDIS_URL"), "{lacking}");
    assert_eq!(lacking.lines().count(), 1, "{lacking}");
}

#[test]
fn a_dump_loads_again_and_is_the_same() {
    let config = load("worker.slots = 20\nrules = []\nlimits.payload = 1000", &[], &[]).unwrap();
    let dump = config.to_toml();
    assert_eq!(load(&dump, &[], &[]).unwrap().to_toml(), dump);
    assert!(dump.contains("payload = \"1000 B\""), "{dump}");
}

#[test]
fn sections_merge_with_the_defaults_at_every_level() {
    let text = "[classes.P0]\nttl = 30\n[retry.network]\nretries = 7\n[worker.patience]\nhigh = 3";
    let config = load(text, &[], &[]).unwrap();
    assert_eq!(config.classes.p0.sla, Duration::from_millis(200));
    assert_eq!(config.classes.p0.ttl, Duration::from_secs(30));
    let network = &config.retry.0["network"];
    assert_eq!((network.retries, network.max), (7, Duration::from_secs(32)));
    assert_eq!(config.worker.patience[&Queue::High], 3);
    assert_eq!(config.worker.patience[&Queue::P4], 32);
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
    let overrides =
        ["worker.slots=13", "queues.limits.\"critical.p0\"=9", "log.filter=debug", "worker.queues=[\"high\"]"];
    let config = load(text, &environment, &overrides).unwrap();
    assert_eq!((config.worker.slots, config.worker.reserved, config.worker.crashes), (13, 3, 4));
    assert_eq!(config.classes.p0.sla, Duration::from_millis(100));
    assert_eq!(config.worker.patience[&Queue::P4], 5);
    assert_eq!(config.redis.prefix, "007");
    assert_eq!(config.queues.get(Queue::P0), 9);
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.worker.queues, [Queue::High]);
}

#[test]
fn inv_9_every_mistake_is_in_one_report() {
    let text = r#"
profil = "cluster"

[worker]
slots = 4
reserved = 4
heartbeat = "2 parsecs"
lease = "1s"
queues = ["high", "hihg"]

[classes.P0]
ttl = "abc"

[retry.netwrok]
retries = 3

[[rules]]
kinds = ["a.*"]

[[rules]]
kinds = ["email.*"]
priority = "P1"

[[rules]]
kinds = ["email.send", "[x"]
priority = "P9"

[[handlers]]
kind = "x"

[[pools]]
name = "main"
workers = 0

[[pools]]
name = "main"

[pacing]
per_second = 0.0

[api]
listen = "0.0.0.0:80"

[redis]
url = "http://user:hunter2@host"
"#;
    insta::assert_snapshot!(report(text), @r#"
    CP-1003 profil (pool.toml:2): there is no such key; did you mean profile?
    CP-1004 classes.P0.ttl = "abc" (pool.toml:12): "abc" is not a duration (expected number at 0): write 30s, 5m or 1h; the default is "5m"
    CP-1005 retry.netwrok (pool.toml:14): it lacks the key "first"; add retry.netwrok.first, or did you mean retry.network?
    CP-1005 rules[0] (pool.toml:17): it lacks the key "priority"; add rules[0].priority
    CP-1004 rules[2].priority = "P9" (pool.toml:26): unknown priority "P9": use P0 to P6; write text in quotes, as `clawpool config schema` describes it
    CP-1004 worker.heartbeat = "2 parsecs" (pool.toml:7): "2 parsecs" is not a duration (unknown time unit "parsecs", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)): write 30s, 5m or 1h; the default is "500ms"
    CP-1004 worker.queues[1] = "hihg" (pool.toml:9): unknown variant `hihg`, expected one of `critical.p0`, `critical.p1`, `high`, `normal.p4`, `normal.p5`, `background`; did you mean "high"?
    CP-1012 redis.url = http://***@host (pool.toml:45): its scheme is not redis or rediss; write redis:// or rediss://user:password@host:port/…, special characters as %xx
    CP-1010 api.listen = 0.0.0.0:80 (pool.toml:42): an address beyond this machine needs tokens, or anybody could run tasks; add [[api.tokens]] with name, secret and scopes, or listen on 127.0.0.1
    CP-1006 pacing.per_second = 0 (pool.toml:39): it must be more than zero, or background tasks never start; write for example 100.0
    CP-1011 rules[2].kinds[1] = "[x" (pool.toml:25): the pattern cannot be read (unclosed character class; missing ']'); write a kind ("email.send") or a pattern ("email.*")
    CP-1007 worker.reserved = 4 (pool.toml:6): it leaves no slot for anything but P0 and P1: worker.slots is 4; set worker.reserved to at most 3, or raise worker.slots
    CP-1006 pools[0].workers = 0 (pool.toml:33): it must be 1 or more; write a larger number
    CP-1007 pools[1].name = "main" (pool.toml:36): another pool has this name; give each its own
    CP-1007 handlers[0] = "x" (pool.toml:28): it has neither exec nor http; give it exactly one of them
    "#);
}

#[test]
fn every_syntax_error_names_its_line() {
    insta::assert_snapshot!(report("[worker]\nslots = \n\n[api\nlisten = 'x'\n"), @r#"
    CP-1002: pool.toml:4: this is not TOML: unclosed table, expected `]`; correct the line
    CP-1002: pool.toml:2: this is not TOML: string values must be quoted, expected literal string; correct the line
    "#);
}

#[test]
fn mistakes_name_their_source() {
    let errors =
        load("", &[("CLAWPOOL__WORKER__SLOTZ", "1")], &["worker.slots=many", "nonsense", "a..b=1"]).unwrap_err();
    insta::assert_snapshot!(errors.to_string(), @r#"
    CP-1009: --set nonsense is not of the form KEY=VALUE; write for example --set worker.slots=20
    CP-1009: --set a..b is not of the form KEY=VALUE; write for example --set worker.slots=20
    CP-1003 worker.slotz (CLAWPOOL__WORKER__SLOTZ): there is no such key; did you mean worker.slots?
    CP-1004 worker.slots = "many" (--set worker.slots): invalid type: string "many", expected u16; the default is 10
    "#);
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json[0]["code"], "CP-1009");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let errors = Config::load(Some(Path::new("no-such.toml")), &[]).unwrap_err();
    assert!(errors.to_string().starts_with("CP-1001: the configuration file no-such.toml cannot be read"), "{errors}");
}

/// INV-10: whatever is wrong around a secret, the report does not show it, nor do dump and debug print.
#[test]
fn inv_10_secrets_never_print() {
    let files = [
        "redis.url = 'redis://u:hunter2@:x'",
        "redis.url = 'hunter2'",
        "redis = 'redis://:hunter2@h'",
        "redis.pasword = 'hunter2'",
        "rabbitmq.url = ['hunter2']",
        "rabbitmq.url = 'hunter2://x'",
        "api.tokens = ['hunter2']",
        "[[api.tokens]]\nname = 'a'\nsecret = 'hunter2'\nscopes = []",
        "[[api.tokens]]\nname = 'a'\nsecret = 'hunter2'\nscopes = ['hunt']",
        "[[handlers]]\nkind = 'a'\nhttp = { url = 'http://a', headers = { 'a b' = 'hunter2' } }",
        "[[handlers]]\nkind = 'a'\nhttp = 'hunter2'",
        "redis.url = 'redis://:hunter2@h",
    ];
    for text in files {
        let report = report(text);
        assert!(!report.contains("hunter2"), "{text}\n{report}");
    }
    let text = "redis.url = 'redis://u:p@ss/hunter2@h:1/0?pass=hunter2'\n[[handlers]]\nkind = 'a'\n\
        exec = { command = ['x'], env = { KEY = 'hunter2' } }\n[[handlers]]\nkind = 'b'\n\
        http = { url = 'http://u:hunter2@h/', headers = { authorization = 'env:AUTH' } }\n\
        [[api.tokens]]\nname = 'a'\nsecret = 'hunter2-hunter2-hunter2'\nscopes = ['read']";
    let environment = [("AUTH", "hunter2")];
    let mut config = load(&text.replace("p@ss/hunter2", "hunter2"), &environment, &[]).unwrap();
    config.redis.url = "redis://u:p@ss/hunter2@h:1/0?pass=hunter2".into();
    assert_eq!(config.handlers[1].http.as_ref().unwrap().headers["authorization"], "hunter2");
    let shown = format!("{config:?}{}{}", config.to_toml(), serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "redis://:s3cret@h:1/0\n").unwrap();
    let config = load(&format!("redis.url = 'file:{}'", path.display()), &[], &[]).unwrap();
    assert_eq!(config.redis.url.expose_secret(), "redis://:s3cret@h:1/0");
}

#[test]
fn rules_that_can_be_reached_pass() {
    let text = "[[rules]]\nkinds=['a.b']\npriority='P1'\n[[rules]]\nkinds=['a.*']\ntenants=['x']\npriority='P2'\n\
        [[rules]]\nkinds=['a.*']\npriority='P3'\n[[rules]]\npriority='P5'";
    let config = load(text, &[], &[]).unwrap();
    assert_eq!(config.rules[3].priority, Priority::P5);
    let late = report(&format!("{text}\n[[rules]]\ntiers=['free']\npriority='P6'"));
    assert!(late.contains("rules[4] = P6 (pool.toml:13): rules[3] matches every task"), "{late}");
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the file holds, loading ends in a configuration or a report.
        #[test]
        fn no_file_breaks_loading(text in "([a-zA-Z0-9_.=\"'\\[\\]{}, \n#-]|slots|worker|rules|= 1\n|\\[\\[handlers\\]\\]\n){0,60}") {
            if let Err(errors) = load(&text, &[], &[]) {
                prop_assert!(!errors.0.is_empty());
            }
        }

        #[test]
        fn no_value_breaks_loading(
            section in prop::sample::select(vec!["worker.slots", "rules", "classes.P0", "api.tokens", "retry", "handlers",
                "worker.patience", "queues.limits", "limits.payload", "classes.default", "profile", "worker.queues"]),
            value in prop::sample::select(vec!["-1", "1.5", "\"x\"", "[]", "{}", "[1]", "[{}]", "true", "1979-05-27",
                "{ x = 1 }", "[[1], [2]]", "99999999999999999", "{ high = {} }", "[\"high\", 3, \"nix\"]"]),
        ) {
            if let Err(errors) = load("", &[], &[&format!("{section}={value}")]) {
                prop_assert!(errors.to_string().contains("CP-10"));
            }
        }
    }
}
