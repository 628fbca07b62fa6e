use std::time::Duration;

use serde_json::json;

use crate::cli::{alerts, audit, dead, health, output, queues, tasks, tokens, workers};
use clawpool_backends::store::{Beat, QueueTotals, Record, Waiting, WorkerInfo, conformance::beat_of};
use clawpool_core::{
    config::Scope,
    task::{DeadReason, ErrorClass, Failure, Priority, ProcessId, Queue, State, TaskId, Timestamp},
};
use clawpool_engine::{
    alert::Event,
    client::{
        access::{AuditView, Outcome, TokenView},
        health::HealthView,
        view::{AlertView, DeadView, QueueView},
    },
};

fn ago(span: Duration) -> Timestamp {
    Timestamp::from_millis(Timestamp::now().as_millis() - span.as_millis() as u64)
}

/// An age whose text does not change within a minute.
const LONG: Duration = Duration::from_secs(2 * 3600 + 30 * 60);

fn id() -> TaskId {
    TaskId::from_bytes([7; 16])
}

#[test]
fn tasks_table() {
    let record = |kind: &str, state, failure| Record {
        id: id(),
        kind: kind.into(),
        priority: Priority::P4,
        queue: Queue::P4,
        tenant: None,
        enqueued_by: None,
        state,
        waiting: Waiting::of(state, 1),
        attempt: 1,
        crashes: 0,
        generation: 1,
        enqueued_at: ago(LONG),
        started_at: None,
        finished_at: None,
        due_at: None,
        worker: None,
        progress: None,
        result: None,
        failure,
        story: Default::default(),
        fingerprint: None,
    };
    let failure = Failure::new(ErrorClass::Network, "connection reset\nby \u{1b}[31mpeer");
    let records =
        [record("email.send", State::Scheduled, Some(failure)), record("a", State::Completed, None)];
    insta::assert_snapshot!(tasks::listing(&records));
}

#[test]
fn queues_table() {
    let totals =
        QueueTotals { enqueued: 120, completed: 100, retried: 7, enqueue_rate: 2.04, ..Default::default() };
    let view = |queue, ready, error| QueueView {
        queue,
        priority: queue.priority(),
        lane: queue.lane(),
        ready,
        in_flight: 3,
        oldest_age_ms: ready.map(|_| 61_000),
        limit: 1000,
        paused: queue == Queue::P2,
        closing: false,
        workers: 1,
        unhandled: Vec::new(),
        totals,
        error,
        unconfirmed: vec![],
    };
    let queues = [view(Queue::P0, Some(12), None), view(Queue::P2, None, Some("RabbitMQ is away".into()))];
    insta::assert_snapshot!(queues::listing(&queues));
}

#[test]
fn dead_table() {
    let letter = DeadView {
        id: id(),
        kind: "llm.answer".into(),
        priority: Priority::P2,
        tenant: None,
        reason: DeadReason::Exhausted,
        failure: Failure::new(ErrorClass::LlmRateLimit, "x".repeat(200)),
        crashes: 0,
        enqueued_at: ago(LONG),
        died_at: ago(LONG),
    };
    insta::assert_snapshot!(dead::listing(&[letter]));
}

#[test]
fn workers_table() {
    let beat = Beat {
        pool: "general".into(),
        pid: 4711,
        started_at: ago(LONG),
        slots: 10,
        queues: vec![Queue::P0, Queue::P6],
        running: vec![1, 2],
        ..beat_of(ProcessId::from_bytes([9; 16]), Duration::from_secs(3))
    };
    let worker = |alive, draining| WorkerInfo {
        beat: Beat { draining, ..beat.clone() },
        beats: 5,
        last_beat: ago(LONG),
        alive,
    };
    insta::assert_snapshot!(workers::listing(&[
        worker(true, false),
        worker(true, true),
        worker(false, false)
    ]));
}

#[test]
fn alerts_table() {
    let alert = |event: Event, text: &str| AlertView {
        at: Timestamp::from_millis(4_000_000_000_000),
        pool: "browser".into(),
        level: event.level(),
        event,
        code: event.code().into(),
        text: text.into(),
        fix: event.fix().into(),
    };
    let alerts = [
        alert(Event::Hung, "worker 7 hung without a heartbeat for a lease and was killed (SIGKILL (9))"),
        alert(
            Event::CannotStart,
            "./\u{1b}[31mworker cannot be started (no such file): check the pool's command",
        ),
        alert(Event::Hung, "worker 8 hung without a heartbeat for a lease and was killed (SIGKILL (9))"),
    ];
    let text = alerts::listing(&alerts);
    // The moment says how far from now it is, which decides how wide its column is.
    let text = text.lines().map(|line| {
        if line.starts_with("AT ") {
            return line.split_whitespace().collect::<Vec<_>>().join("  ");
        }
        line.find(" (in ").map_or(line.to_owned(), |at| {
            format!("{}{}", &line[..at], &line[at..].split_once(')').unwrap().1)
        })
    });
    insta::assert_snapshot!(text.collect::<Vec<_>>().join("\n"));
    assert_eq!(alerts::listing(&[]), "AT  POOL  LEVEL  EVENT  CODE  WHAT");
}

#[test]
fn an_empty_listing_is_its_header() {
    assert_eq!(output::table(["ID", "KIND"], []), "ID  KIND");
}

#[test]
fn spans_have_two_units() {
    let spans = [(0.45, "450ms"), (12.0, "12s"), (200.0, "3m 20s"), (9000.0, "2h 30m"), (273_600.0, "3d 4h")];
    for (seconds, text) in spans {
        assert_eq!(output::span(Duration::from_secs_f64(seconds)), text);
    }
}

#[test]
fn health_table() {
    let view: HealthView = serde_json::from_value(serde_json::json!({
        "status": "degraded", "instance_id": "0198f2", "version": "0.1.0", "timestamp": ago(LONG),
        "age_ms": 412,
        "services": {
            "broker": "degraded: RabbitMQ takes no messages now: low on memory", "store": "up", "redis": "up",
            "rabbitmq": "degraded: RabbitMQ takes no messages now: low on memory", "crm": "down: \u{1b}[31mno"
        },
        "metrics": {"cpu_percent": 12.5, "active_connections": 3, "queue_depth": 120},
        "loops": {"running": 7, "healthy": 6, "stuck": ["reaper"]},
        "probes": [{
            "name": "crm", "layer": "http", "state": "down", "failures": 3, "took_ms": null,
            "checked_at": ago(LONG)
        }],
        "reasons": [{
            "subject": "rabbitmq", "event": "broker_trouble", "code": "CP-1621", "text": "low on memory",
            "since": ago(LONG)
        }]
    }))
    .unwrap();
    let shown = health::details(&view);
    // The time itself is another at each run.
    let lines = shown.lines().filter(|line| !line.starts_with("time "));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn tokens_table() {
    let token = |name: &str, scopes: &[Scope]| TokenView {
        name: name.into(),
        scopes: scopes.to_vec(),
        tenants: vec![],
        queues: vec![],
        configured: false,
        created_at: Some(ago(LONG)),
        created_by: Some("operators".into()),
        expires_at: None,
        expired: false,
    };
    let tokens = [
        TokenView { configured: true, ..token("operators", &[Scope::Read, Scope::Admin]) },
        TokenView {
            tenants: vec!["acme".into(), "be\u{1b}[31mta".into()],
            queues: vec!["llm.*".parse().unwrap(), "P4".parse().unwrap()],
            ..token("shop", &[Scope::Enqueue])
        },
        TokenView { expires_at: Some(ago(LONG)), expired: true, ..token("old", &[Scope::Operate]) },
    ];
    insta::assert_snapshot!(without_times(&tokens::listing(&tokens)));
}

#[test]
fn audit_table() {
    let done = AuditView {
        at: Timestamp::from_millis(4_000_000_000_000),
        by: Some("operators".into()),
        verb: "autoscaler.scale".into(),
        subject: "main".into(),
        parameters: json!({"size": 8, "for": "1h"}),
        address: Some([10, 0, 0, 7].into()),
        outcome: Outcome::Done,
        status: 200,
        code: None,
    };
    let refused = AuditView {
        by: None,
        verb: "dead.discard".into(),
        subject: String::new(),
        parameters: json!(null),
        address: None,
        outcome: Outcome::Refused,
        status: 403,
        code: Some("CP-1405".into()),
        ..done
    };
    insta::assert_snapshot!(without_times(&audit::listing(&[done, refused])));
}

/// Times are of the moment that the test runs at.
fn without_times(table: &str) -> String {
    let lines = table.lines().map(|line| {
        let mut words: Vec<&str> = line.split("  ").filter(|word| !word.is_empty()).map(str::trim).collect();
        words.retain(|word| !word.starts_with("20"));
        words.join(" | ")
    });
    lines.collect::<Vec<_>>().join("\n")
}
