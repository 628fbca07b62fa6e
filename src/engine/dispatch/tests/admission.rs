use super::*;
use clawpool_core::task::TaskId;

#[test]
fn every_broken_rule_has_its_code_and_its_field() {
    let long = "x".repeat(129);
    let deep = Payload::from_message_pack(vec![0x91; 100_000].into());
    let large = Payload::encode(&"x".repeat(300_000)).unwrap();
    let payload = |payload| NewTask { payload, ..task("a") };
    let cases = [
        (task(""), "CP-1101", "kind"),
        (task("a b"), "CP-1102", "kind"),
        (task("a.*"), "CP-1102", "kind"),
        (task("é"), "CP-1102", "kind"),
        (task(&long), "CP-1103", "kind"),
        (NewTask { tenant: Some(long.clone()), ..task("a") }, "CP-1103", "tenant"),
        (NewTask { session: Some(String::new()), ..task("a") }, "CP-1104", "session"),
        (NewTask { unique_key: Some("a\nb".into()), ..task("a") }, "CP-1104", "unique_key"),
        (payload(large), "CP-1105", "payload"),
        (payload(deep), "CP-1106", "payload"),
        (payload(Payload::from_message_pack(vec![0xc1].into())), "CP-1107", "payload"),
        (NewTask { delay: Some(seconds(1)), not_before: Some(NOW), ..task("a") }, "CP-1108", "not_before"),
        (NewTask { ttl: Some(seconds(1)), expires_at: Some(NOW), ..task("a") }, "CP-1108", "expires_at"),
        (NewTask { expires_at: Some(NOW), ..task("a") }, "CP-1109", "expires_at"),
        (
            NewTask { delay: Some(seconds(9)), expires_at: Some(NOW + seconds(9)), ..task("a") },
            "CP-1109",
            "expires_at",
        ),
        (
            NewTask { expires_at: Some(Timestamp::from_millis(u64::MAX)), ..task("a") },
            "CP-1109",
            "expires_at",
        ),
        (NewTask { delay: Some(Duration::MAX), ..task("a") }, "CP-1110", "delay"),
        (
            NewTask { not_before: Some(Timestamp::from_millis(u64::MAX)), ..task("a") },
            "CP-1110",
            "not_before",
        ),
        (NewTask { ttl: Some(Duration::ZERO), ..task("a") }, "CP-1111", "ttl"),
        (NewTask { max_attempts: Some(0), ..task("a") }, "CP-1112", "max_attempts"),
        (NewTask { max_attempts: Some(101), ..task("a") }, "CP-1112", "max_attempts"),
        (NewTask { retry: Some("netwrok".into()), ..task("a") }, "CP-1113", "retry"),
        (NewTask { timeout: Some(Duration::ZERO), ..task("a") }, "CP-1114", "timeout"),
        (NewTask { timeout: Some(seconds(90_000)), ..task("a") }, "CP-1114", "timeout"),
        (NewTask { trace: Some("00-1-2-3".into()), ..task("a") }, "CP-1115", "trace"),
        (NewTask { trace_state: Some("UPPER=1".into()), ..task("a") }, "CP-1115", "trace_state"),
        (NewTask { result_ttl: Some(Duration::MAX), ..task("a") }, "CP-1116", "result_ttl"),
        (NewTask { priority: Some(Priority::P0), ..task("a") }, "CP-1117", "priority"),
        (NewTask { id: Some(TaskId::from_bytes([0; 16])), ..task("a") }, "CP-1118", "id"),
        (payload(Payload::encode(&[1.0, f64::NAN]).unwrap()), "CP-1121", "payload[1]"),
        (
            payload(Payload::encode(&std::collections::HashMap::from([(1, "a")])).unwrap()),
            "CP-1121",
            "payload.1",
        ),
        (
            payload(Payload::from_message_pack(b"\x82\xa1a\x01\xa1a\x02".as_slice().into())),
            "CP-1122",
            "payload.a",
        ),
        (
            NewTask { not_before: Some(Timestamp::from_millis(1_900_000_000)), ..task("a") },
            "CP-1123",
            "not_before",
        ),
        (
            NewTask { expires_at: Some(Timestamp::from_millis(1_900_000_000)), ..task("a") },
            "CP-1123",
            "expires_at",
        ),
    ];
    for (task, code, field) in cases {
        let shown = format!("{:.200}", format!("{task:?}"));
        let rejection = admit(task).unwrap_err();
        assert_eq!((rejection.code, rejection.field.as_deref()), (code, Some(field)), "{shown}\n{rejection}");
        assert!(!rejection.is_retryable());
    }
}

#[test]
fn a_slip_in_a_policy_name_is_answered_with_the_name() {
    let rejection = admit(NewTask { retry: Some("netwrok".into()), ..task("a") }).unwrap_err();
    assert!(rejection.message.contains("did you mean \"network\"?"), "{rejection}");
    let json = serde_json::to_value(&rejection).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "field", "message"]);
}

#[test]
fn a_task_at_every_limit_is_taken() {
    let trace = format!("00-{}-{}-01", "a".repeat(32), "b".repeat(16));
    let new = NewTask {
        id: Some(TaskId::new()),
        payload: Payload::from_message_pack([vec![0x91; 64], vec![0xc0]].concat().into()),
        tenant: Some("t".repeat(128)),
        max_attempts: Some(100),
        retry: Some("network".into()),
        timeout: Some(seconds(86_400)),
        trace: Some(trace.clone()),
        result_ttl: Some(Duration::ZERO),
        ..task("Az09._-:/")
    };
    let id = new.id.unwrap();
    let task = admit(new).unwrap().message.task().unwrap();
    assert_eq!((task.id, task.max_attempts, task.trace), (id, Some(100), Some(trace)));
}

#[test]
fn times_are_counted_from_the_start() {
    let config = Config::default();
    let ttl = config.classes.p4.ttl;
    let plain = admit(task("email.send")).unwrap();
    assert_eq!((plain.at, plain.message.expires_at), (None, NOW + ttl));
    let later = admit(NewTask { delay: Some(seconds(60)), ..task("email.send") }).unwrap();
    assert_eq!((later.at, later.message.expires_at), (Some(NOW + seconds(60)), NOW + seconds(60) + ttl));
    let own = admit(NewTask { delay: Some(seconds(60)), ttl: Some(seconds(5)), ..task("a") }).unwrap();
    assert_eq!(own.message.expires_at, NOW + seconds(65));
    // A start that is already past means: at once.
    let past = NewTask { not_before: Some(Timestamp::from_millis(1_700_000_000_000)), ..task("email.send") };
    assert_eq!(admit(past).unwrap().at, None);
}
