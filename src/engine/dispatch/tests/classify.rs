use super::*;
use clawpool_core::{
    config::FieldTest,
    task::{KindPattern, Tier},
};

fn kind(text: &str) -> KindPattern {
    text.parse().unwrap()
}

#[test]
fn the_shipped_table_knows_every_task_type() {
    let kinds = [
        "voice.call",
        "stt.audio",
        "llm.answer",
        "browser.click",
        "email.send",
        "loop_07",
        "background.tidy",
    ];
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
        Rule { kinds: vec![kind("a.*")], tenants: vec!["acme".into()], ..rule(Priority::P0) },
        Rule { kinds: vec![kind("a.*"), kind("b.*")], tiers: vec![Tier::Premium], ..rule(Priority::P1) },
        Rule { field: Some(field), ..rule(Priority::P2) },
        Rule { due_within: Some(seconds(60)), ..rule(Priority::P3) },
        Rule { kinds: vec![kind("a.x")], ..rule(Priority::P5) },
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
    let short = NewTask { result_ttl: Some(seconds(1)), ..task("voice.call") };
    assert_eq!(explain(&Config::default(), &short).result_ttl, seconds(600), "results.dedupe is the least");
    let explanation = explain(&Config::default(), &NewTask { delay: Some(seconds(1)), ..task("voice.call") });
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap(), @r#"
    {
      "priority": "P0",
      "queue": "critical.p0",
      "rule": 0,
      "because": "the shipped rule for voice.*, twilio.* is the first that matches",
      "due_at": "2027-01-15T08:00:01.000Z",
      "expires_at": "2027-01-15T08:05:01.000Z",
      "sla_ms": 200,
      "timeout_ms": 60000,
      "result_ttl_ms": 3600000,
      "payload_bytes": 1,
      "payload_limit": 262144,
      "queue_limit": 2000000
    }
    "#);
}
