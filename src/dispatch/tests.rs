//! The door's rules, without broker and store.

use std::time::Duration;

use proptest::prelude::*;

use super::{admit::Door, *};
use crate::{
    config::{Config, FieldTest, Rule},
    store::Admission,
    task::{NewTask, Payload, Priority, Queue, TaskId, Tier, Timestamp},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ALL: Rights = Rights { priority: true };

fn task(kind: &str) -> NewTask {
    NewTask::new(kind, Payload::null())
}

fn admit(task: NewTask) -> Result<Admission, Rejection> {
    Door::new(&Config::default()).unwrap().admit(task, Rights::default(), NOW)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

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
        (NewTask { delay: Some(seconds(9)), expires_at: Some(NOW + seconds(9)), ..task("a") }, "CP-1109", "expires_at"),
        (NewTask { expires_at: Some(Timestamp::from_millis(u64::MAX)), ..task("a") }, "CP-1109", "expires_at"),
        (NewTask { delay: Some(Duration::MAX), ..task("a") }, "CP-1110", "delay"),
        (NewTask { not_before: Some(Timestamp::from_millis(u64::MAX)), ..task("a") }, "CP-1110", "not_before"),
        (NewTask { ttl: Some(Duration::ZERO), ..task("a") }, "CP-1111", "ttl"),
        (NewTask { max_attempts: Some(0), ..task("a") }, "CP-1112", "max_attempts"),
        (NewTask { max_attempts: Some(101), ..task("a") }, "CP-1112", "max_attempts"),
        (NewTask { retry: Some("netwrok".into()), ..task("a") }, "CP-1113", "retry"),
        (NewTask { timeout: Some(Duration::ZERO), ..task("a") }, "CP-1114", "timeout"),
        (NewTask { timeout: Some(seconds(90_000)), ..task("a") }, "CP-1114", "timeout"),
        (NewTask { trace: Some("00-1-2-3".into()), ..task("a") }, "CP-1115", "trace"),
        (NewTask { result_ttl: Some(Duration::MAX), ..task("a") }, "CP-1116", "result_ttl"),
        (NewTask { priority: Some(Priority::P0), ..task("a") }, "CP-1117", "priority"),
        (NewTask { id: Some(TaskId::from_bytes([0; 16])), ..task("a") }, "CP-1118", "id"),
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
    let past = NewTask { not_before: Some(Timestamp::from_millis(5)), ..task("email.send") };
    assert_eq!(admit(past).unwrap().at, None);
}

fn config(rules: Vec<Rule>) -> Config {
    Config { rules, ..Config::default() }
}

fn rule(priority: Priority) -> Rule {
    Rule { priority, ..Rule::default() }
}

fn explain(config: &Config, task: &NewTask) -> Explanation {
    Door::new(config).unwrap().explain(task, ALL, NOW).unwrap()
}

#[test]
fn the_shipped_table_knows_every_task_type() {
    let kinds = ["voice.call", "stt.audio", "llm.answer", "browser.click", "email.send", "loop_07", "background.tidy"];
    for (kind, priority) in kinds.into_iter().zip(Priority::ALL) {
        assert_eq!(explain(&Config::default(), &task(kind)).priority, priority, "{kind}");
    }
    let unknown = explain(&Config::default(), &task("voice"));
    assert_eq!((unknown.priority, unknown.rule), (Priority::P4, None));
}

#[test]
fn all_conditions_of_a_rule_must_hold_and_the_first_rule_wins() {
    let field = FieldTest { path: "user.plan".into(), equals: "gold".into() };
    let config = config(vec![
        Rule { kinds: vec!["a.*".into()], tenants: vec!["acme".into()], ..rule(Priority::P0) },
        Rule { kinds: vec!["{a,b}.?".into()], tiers: vec![Tier::Premium], ..rule(Priority::P1) },
        Rule { field: Some(field), ..rule(Priority::P2) },
        Rule { due_within: Some(seconds(60)), ..rule(Priority::P3) },
        Rule { kinds: vec!["a.x".into()], ..rule(Priority::P5) },
    ]);
    let gold = Payload::encode(&serde_json::json!({"user": {"plan": "gold"}})).unwrap();
    let cases = [
        (NewTask { tenant: Some("acme".into()), tier: Some(Tier::Premium), ..task("a.x") }, Some(0)),
        (NewTask { tenant: Some("other".into()), tier: Some(Tier::Premium), ..task("a.x") }, Some(1)),
        (NewTask { tier: Some(Tier::Premium), ..task("b.x") }, Some(1)),
        (NewTask { tier: Some(Tier::Premium), payload: gold, ..task("c.x") }, Some(2)),
        (NewTask { ttl: Some(seconds(59)), ..task("a.x") }, Some(3)),
        (NewTask { expires_at: Some(NOW + seconds(60)), ..task("a.x") }, Some(4)),
        (NewTask { delay: Some(seconds(30)), ttl: Some(seconds(30)), ..task("c") }, None),
        (NewTask { priority: Some(Priority::P6), tenant: Some("acme".into()), ..task("a.x") }, None),
    ];
    for (task, rule) in cases {
        assert_eq!(explain(&config, &task).rule, rule, "{task:?}");
    }
}

#[test]
fn numbers_and_truth_in_the_payload_are_compared_by_value() {
    let matches = |equals: serde_json::Value, value: serde_json::Value| {
        let field = FieldTest { path: "n".into(), equals };
        let config = config(vec![Rule { field: Some(field), ..rule(Priority::P0) }]);
        let payload = Payload::encode(&serde_json::json!({ "n": value })).unwrap();
        explain(&config, &NewTask { payload, ..task("a") }).rule.is_some()
    };
    let cases = serde_json::json!([
        [2, 2, true],
        [2.0, 2, true],
        [2, 2.0, true],
        [-2, -2, true],
        [2, "2", false],
        [true, true, true],
        [true, 1, false]
    ]);
    for case in cases.as_array().unwrap() {
        assert_eq!(matches(case[0].clone(), case[1].clone()), case[2], "{case}");
    }
}

#[test]
fn an_explanation_shows_what_would_hold() {
    let explanation = explain(&Config::default(), &NewTask { delay: Some(seconds(1)), ..task("voice.call") });
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap(), @r#"
    {
      "priority": "P0",
      "queue": "critical.p0",
      "rule": 0,
      "because": "rules[0] is the first that matches",
      "due_at": "2027-01-15T08:00:01.000Z",
      "expires_at": "2027-01-15T08:05:01.000Z",
      "sla": "200ms",
      "timeout": "1m",
      "result_ttl": "1h",
      "payload_bytes": 1,
      "payload_limit": 262144,
      "queue_limit": 2000000
    }
    "#);
}

fn new_task() -> impl Strategy<Value = NewTask> {
    let kind = prop_oneof!["[a-c]\\.[a-c]{1,2}", ".{0,5}"];
    let span = || prop::option::of((0u64..100_000).prop_map(Duration::from_millis));
    let time = || {
        prop::option::of(
            (-100i64..100).prop_map(|s| Timestamp::from_millis((NOW.as_millis() as i64 + s * 1000) as u64)),
        )
    };
    let tenant = prop::option::of("[a-c]{0,2}");
    (kind, prop::option::of(0u64..7), tenant, span(), time(), span(), time(), prop::collection::vec(any::<u8>(), 0..4))
        .prop_map(|(kind, priority, tenant, delay, not_before, ttl, expires_at, bytes)| NewTask {
            priority: priority.and_then(Priority::from_index),
            tenant,
            delay,
            not_before,
            ttl,
            expires_at,
            payload: Payload::from_message_pack(bytes.into()),
            ..task(&kind)
        })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let kinds = prop::collection::vec("[a-c]\\.[a-c*?]{1,2}|\\*|[a-c]\\*", 0..3);
    let tenants = prop::collection::vec("[a-c]{1,2}", 0..2);
    let due = prop::option::of((1u64..100).prop_map(Duration::from_secs));
    let one = (kinds, tenants, due, 0u64..7).prop_map(|(kinds, tenants, due_within, priority)| Rule {
        kinds,
        tenants,
        due_within,
        priority: Priority::from_index(priority).unwrap(),
        ..Rule::default()
    });
    prop::collection::vec(one, 0..5)
}

proptest! {
    /// Any task is either refused or becomes one that keeps every promise the envelope makes.
    #[test]
    fn what_passes_the_door_is_sound(new in new_task(), rules in rules(), may in any::<bool>()) {
        let door = Door::new(&config(rules)).unwrap();
        let rights = Rights { priority: may };
        let explained = door.explain(&new, rights, NOW);
        match door.admit(new.clone(), rights, NOW) {
            Err(rejection) => prop_assert_eq!(explained.unwrap_err(), rejection),
            Ok(admission) => {
                let (task, explained) = (admission.message.task().unwrap(), explained.unwrap());
                prop_assert_eq!(explained.priority, task.priority);
                prop_assert_eq!(explained.expires_at, task.expires_at);
                prop_assert!(task.expires_at > admission.at.unwrap_or(NOW));
                prop_assert!(admission.at.is_none_or(|at| at > NOW));
                prop_assert!(new.priority.is_none_or(|wish| may && wish == task.priority));
                prop_assert_eq!((task.attempt, task.generation), (0, 0));
            }
        }
    }

    /// The rule that decides is the first of the table that decides alone.
    #[test]
    fn the_first_match_decides(new in new_task(), rules in rules()) {
        let new = NewTask { priority: None, ..new };
        let due = Some(Duration::from_secs(20));
        let default = Config::default().classes;
        let alone = |rule: &Rule| Classifier::new(std::slice::from_ref(rule), &default).unwrap().classify(&new, due);
        let first = rules.iter().position(|rule| alone(rule).by == By::Rule(0));
        let expected = first.map_or(By::Default, By::Rule);
        prop_assert_eq!(Classifier::new(&rules, &default).unwrap().classify(&new, due).by, expected);
    }

    #[test]
    fn every_priority_has_its_queue(index in 0u64..7) {
        let priority = Priority::from_index(index).unwrap();
        let explained = explain(&Config::default(), &NewTask { priority: Some(priority), ..task("a") });
        prop_assert_eq!(explained.queue, priority.queue());
        prop_assert!(Queue::ALL.contains(&explained.queue));
    }
}
