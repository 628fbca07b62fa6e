use super::*;

#[test]
fn a_variable_with_one_underscore_is_refused_with_the_right_name() {
    for (name, right) in [
        ("CLAWPOOL_WORKER_SLOTS", "CLAWPOOL__WORKER__SLOTS"),
        ("CLAWPOOL_WORKER_STOP_GRACE", "CLAWPOOL__WORKER__STOP_GRACE"),
        ("CLAWPOOL_WORKER__SLOTS", "CLAWPOOL__WORKER__SLOTS"),
        ("CLAWPOOL_REDIS_URL", "CLAWPOOL__REDIS__URL"),
    ] {
        let error = load("", &[(name, "20")], &[]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(right), "{error}");
    }
    for name in ["CLAWPOOL_CONFIG", "CLAWPOOL_POOL", "CLAWPOOL_URL", "CLAWPOOL_WORKER_ID", "CLAWPOOL_IMAGE"] {
        load("", &[(name, "20")], &[]).unwrap();
    }
    let own = [("CLAWPOOL_REDIS_URL", "redis://h")];
    assert!(load("redis.url = \"env:CLAWPOOL_REDIS_URL\"", &own, &[]).is_ok());
}

#[test]
fn a_raw_letter_in_a_password_is_refused_with_the_fix() {
    for raw in ["p@ss", "pa#ss", "pa/ss", "pa?ss", "a@b/c"] {
        for (key, scheme) in [("redis.url", "redis"), ("rabbitmq.url", "amqp")] {
            let error =
                load(&format!("{key} = '{scheme}://user:{raw}@host/0'"), &[], &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("CP-1012 {key}")) && error.contains("%xx"), "{error}");
            assert!(!error.contains(raw), "{error}");
        }
    }
    assert!(load("redis.url = 'redis://user:p%40ss%2F@host/0'", &[], &[]).is_ok());
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

[[rules]]
kinds = ["calls.*"]
queue = "llm.cals"

[[queues]]
name = "llm.calls"
priority = "P2"

[[queues]]
name = "llm.calls"
priority = "P3"

[[queues]]
name = "a*b"
priority = "P3"

[[queues]]
name = "P3"
priority = "P3"

[[queues]]
name = "lone"

[[queues]]
name = "normal.p4"
priority = "P1"
limit = 0

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
    CP-1004 rules[2].kinds[1] = "[x" (pool.toml:25): "[x" contains '[': a pattern has what kinds have, ASCII letters, digits and . _ - : /, and stars; write text in quotes, as `clawpool config schema` describes it
    CP-1004 rules[2].priority = "P9" (pool.toml:26): unknown priority "P9": use P0 to P6; write text in quotes, as `clawpool config schema` describes it
    CP-1004 worker.heartbeat = "2 parsecs" (pool.toml:7): "2 parsecs" is not a duration (unknown time unit "parsecs", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)): write 30s, 5m or 1h; the default is "500ms"
    CP-1012 redis.url = http://***@host (pool.toml:73): its scheme is not redis or rediss; write redis:// or rediss://user:password@host:port/…, special characters as %xx
    CP-1010 api.listen = 0.0.0.0:80 (pool.toml:70): an address beyond this machine needs tokens, or anybody could run tasks; add [[api.tokens]] with name, secret and scopes, or listen on 127.0.0.1
    CP-1007 queues[1].name = "llm.calls" (pool.toml:37): another queue has this name; give each its own
    CP-1006 queues[2].name = "a*b" (pool.toml:41): "a*b" contains '*': the name of a queue has ASCII letters, digits and . _ - and begins with a letter or a digit; write for example "llm.calls"
    CP-1006 queues[3].name = "P3" (pool.toml:45): "P3" is reserved: give the queue another name; write for example "llm.calls"
    CP-1006 queues[4] = "lone" (pool.toml:48): a queue of one's own needs a priority; add queues[4].priority
    CP-1006 queues[5].priority = P1 (pool.toml:53): normal.p4 always has the priority P4; take it out, or give the queue a new name
    CP-1006 queues[5].limit = 0 (pool.toml:54): it must be 1 or more; write a larger number
    CP-1006 pacing.per_second = 0 (pool.toml:67): it must be more than zero, or its tasks never start; write for example 100.0
    CP-1005 rules[0] (pool.toml:17): it says neither "priority" nor "queue"; add rules[0].priority or rules[0].queue
    CP-1006 rules[3].queue = "llm.cals" (pool.toml:30): no queue has this name; did you mean "llm.calls"? Else add it to [[queues]]
    CP-1007 worker.reserved = 4 (pool.toml:6): it leaves no slot for anything but P0 and P1: worker.slots is 4; set worker.reserved to at most 3, or raise worker.slots
    CP-1006 worker.queues[1] = "hihg" (pool.toml:9): no queue has this name; did you mean "high"? Else add it to [[queues]]
    CP-1006 pools[0].workers = 0 (pool.toml:61): it must be 1 or more; write a larger number
    CP-1007 pools[1].name = "main" (pool.toml:64): another pool has this name; give each its own
    CP-1007 handlers[0] = "x" (pool.toml:56): it has neither exec nor http; give it exactly one of them
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
    let errors = load("", &[("CLAWPOOL__WORKER__SLOTZ", "1")], &["worker.slots=many", "nonsense", "a..b=1"])
        .unwrap_err();
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
    assert!(
        errors.to_string().starts_with("CP-1001: the configuration file no-such.toml cannot be read"),
        "{errors}"
    );
}

#[test]
fn rules_that_can_be_reached_pass() {
    let text = "[[rules]]\nkinds=['a.b']\npriority='P1'\n\
        [[rules]]\nkinds=['a.*']\ntenants=['x']\npriority='P2'\n\
        [[rules]]\nkinds=['a.*']\npriority='P3'\n[[rules]]\npriority='P5'";
    let config = load(text, &[], &[]).unwrap();
    assert_eq!(config.rules[3].priority, Some(Priority::P5));
    let late = report(&format!("{text}\n[[rules]]\ntiers=['free']\npriority='P6'"));
    assert!(late.contains("rules[4] = P6 (pool.toml:13): rules[3] matches every task"), "{late}");
}

#[test]
fn zero_slots_are_refused_and_a_pool_of_fixed_size_is_not() {
    let refused = report("worker.slots = 0\nautoscale.min = 3\nautoscale.max = 3");
    assert_eq!(
        refused,
        "CP-1006 worker.slots = 0 (pool.toml:1): it must be 1 or more; write a larger number"
    );
}
