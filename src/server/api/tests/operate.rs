use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_refused, pool::Pool};
use clawpool_backends::store::{Entry, Topic};
use clawpool_core::{
    config::Config,
    task::{ProcessId, Queue, TaskId, Timestamp},
};
use clawpool_engine::alert::{Alert, Event};

async fn pool() -> Pool {
    Pool::start(Config::default()).await
}

#[tokio::test]
async fn a_dead_letter_tells_its_whole_story() {
    let pool = pool().await;
    let id = pool.kill(&json!({"kind": "email.send", "payload": {"to": "a@b.c"}}), "the line is dead").await;
    let (_, list) = pool.call(Method::GET, "/v1/dead?reason=exhausted&kind=email.*").await;
    assert_eq!(list["items"][0]["id"], json!(id));
    assert_eq!(pool.call(Method::GET, "/v1/dead?until=2001-01-01T00:00:00Z").await.1["items"], json!([]));
    let (status, letter) = pool.call(Method::GET, &format!("/v1/dead/{id}")).await;
    assert_eq!(status, 200);
    assert_eq!(letter["task"]["payload"], json!({"to": "a@b.c"}));
    assert_eq!(letter["task"]["errors"][0]["message"], "the line is dead");
    let unknown = format!("/v1/dead/{}", TaskId::new());
    assert_refused(&pool.call(Method::GET, &unknown).await, 404, "CP-1406", None);
    pool.stop().await;
}

#[tokio::test]
async fn a_pause_names_who_has_not_confirmed_it() {
    let mut config = Config::default();
    config.worker.lease = std::time::Duration::from_millis(200);
    let pool = Pool::start(config).await;
    pool.beat(0).await;
    let (_, view) = pool.post_json("/v1/queues/normal.p4/pause", "{}").await;
    assert_eq!((&view["paused"], &view["unconfirmed"]), (&json!(true), &json!([pool.worker])), "{view}");
    pool.beat_paused(&[Queue::P4]).await;
    let (_, view) = pool.post_json("/v1/queues/normal.p4/pause", "{}").await;
    assert_eq!(view.get("unconfirmed"), None, "{view}");
    pool.stop().await;
}

#[tokio::test]
async fn a_requeued_task_starts_as_new_and_remembers() {
    let pool = pool().await;
    let id = pool.kill(&json!({"kind": "a"}), "the line is dead").await;
    let body = json!({"ids": [id, TaskId::new()]}).to_string();
    let (status, count) = pool.post_json("/v1/dead/requeue", body).await;
    assert_eq!((status.as_u16(), count), (200, json!({"count": 1})));
    let record = pool.store.record(id).await.unwrap().unwrap();
    assert_eq!(
        (record.state.name(), record.attempt, record.crashes, record.generation),
        ("scheduled", 0, 0, 1)
    );
    let fence = pool.store.lead(
        clawpool_backends::store::Role::Maintenance,
        ProcessId::new(),
        std::time::Duration::from_secs(60),
    );
    let due = pool.store.due(fence.await.unwrap().unwrap(), 10).await.unwrap();
    let task = due.messages[0].task().unwrap();
    assert!(task.expires_at > clawpool_core::task::Timestamp::now(), "a new time to live");
    assert_eq!((task.attempt, task.errors.len()), (0, 1));
    pool.stop().await;
}

#[tokio::test]
async fn bulk_changes_reach_every_letter_and_no_other() {
    let pool = pool().await;
    // More than one page of them.
    for n in 0..210 {
        pool.kill(&json!({"kind": if n % 2 == 0 { "even.a" } else { "odd.a" }}), "no").await;
    }
    let (_, count) = pool.post_json("/v1/dead/discard", r#"{"filter":{"kind":"even.*"}}"#).await;
    assert_eq!(count, json!({"count": 105}));
    let (_, count) = pool.post_json("/v1/dead/requeue", r#"{"all":true}"#).await;
    assert_eq!(count, json!({"count": 105}));
    assert_eq!(pool.call(Method::GET, "/v1/dead").await.1["items"], json!([]));
    pool.stop().await;
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let pool = pool().await;
    pool.kill(&json!({"kind": "a"}), "no").await;
    let task = pool.enqueue(&json!({"kind": "b", "delay": "1h"})).await;
    for path in ["requeue", "discard"] {
        let body = r#"{"all":true,"dry_run":true}"#;
        let (_, count) = pool.post_json(&format!("/v1/dead/{path}"), body).await;
        assert_eq!(count, json!({"count": 1}), "{path}");
    }
    for path in ["run", "cancel"] {
        let body = r#"{"filter":{"kind":"b"},"dry_run":true}"#;
        let (_, changed) = pool.post_json(&format!("/v1/tasks/{path}"), body).await;
        assert_eq!(changed, json!({"changed": 1}), "{path}");
    }
    assert_eq!(pool.call(Method::GET, "/v1/dead").await.1["items"].as_array().unwrap().len(), 1);
    assert_eq!(pool.store.record(task).await.unwrap().unwrap().state.name(), "scheduled");
    pool.stop().await;
}

#[tokio::test]
async fn a_dead_task_runs_again_with_another_payload() {
    let pool = pool().await;
    let id = pool.kill(&json!({"kind": "a", "payload": {"to": "wrong"}}), "no").await;
    let other = pool.kill(&json!({"kind": "a"}), "no").await;
    for body in [
        json!({"ids": [id, other], "payload": 1}),
        json!({"all": true, "payload": 1}),
        json!({"ids": [id], "payload": "x".repeat(300 << 10)}),
    ] {
        assert_refused(
            &pool.post_json("/v1/dead/requeue", body.to_string()).await,
            400,
            "CP-1402",
            Some("payload"),
        );
    }
    let body = json!({"ids": [id], "payload": {"to": "right"}}).to_string();
    assert_eq!(pool.post_json("/v1/dead/requeue", body).await.1, json!({"count": 1}));
    let maintenance = clawpool_backends::store::Role::Maintenance;
    let fence = pool.store.lead(maintenance, ProcessId::new(), std::time::Duration::from_secs(60)).await;
    let due = pool.store.due(fence.unwrap().unwrap(), 10).await.unwrap();
    let payload = due.messages[0].task().unwrap().payload;
    assert_eq!(serde_json::to_value(&payload).unwrap(), json!({"to": "right"}));
    pool.stop().await;
}

#[tokio::test]
async fn many_tasks_are_cancelled_by_filter_and_no_others() {
    let pool = pool().await;
    for n in 0..2_100 {
        pool.enqueue(&json!({"kind": if n % 3 == 0 { "keep" } else { "drop.a" }, "delay": "1h"})).await;
    }
    let mut cursor = Value::Null;
    let mut changed = 0;
    loop {
        let body = json!({"filter": {"kind": "drop.*"}, "cursor": cursor}).to_string();
        let (status, answer) = pool.post_json("/v1/tasks/cancel", body).await;
        assert_eq!(status, 200, "{answer}");
        changed += answer["changed"].as_u64().unwrap();
        cursor = answer["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(changed, 1_400);
    let (_, left) = pool.call(Method::GET, "/v1/tasks?state=scheduled,queued&limit=1000").await;
    let items = left["items"].as_array().unwrap();
    assert!(items.len() == 700 && items.iter().all(|item| item["kind"] == "keep"), "{}", items.len());
    for body in ["{}", r#"{"all":true,"ids":[]}"#] {
        assert_refused(&pool.post_json("/v1/tasks/cancel", body).await, 400, "CP-1401", None);
    }
    let body = r#"{"filter":{"states":["dead"]}}"#;
    assert_refused(&pool.post_json("/v1/tasks/cancel", body).await, 400, "CP-1402", Some("filter.states"));
    pool.stop().await;
}

#[tokio::test]
async fn an_export_holds_every_letter_on_its_line() {
    let pool = pool().await;
    for _ in 0..205 {
        pool.kill(&json!({"kind": "a", "payload": "two\nlines"}), "no").await;
    }
    let response = pool.request(Method::GET, "/v1/dead/export").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/jsonl");
    let text = response.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 205);
    assert!(lines.iter().all(|line| line["task"]["payload"] == "two\nlines"));
    pool.stop().await;
}

#[tokio::test]
async fn queues_show_pauses_and_running_tasks() {
    let pool = pool().await;
    pool.beat(3).await;
    let (status, queue) = pool.call(Method::POST, "/v1/queues/normal.p4/pause").await;
    assert_eq!((status.as_u16(), &queue["paused"], &queue["in_flight"]), (200, &json!(true), &json!(3)));
    assert_eq!(pool.beat(3).await.paused, [Queue::P4]);
    let (_, queue) = pool.call(Method::POST, "/v1/queues/normal.p4/resume").await;
    assert_eq!(queue["paused"], json!(false));
    pool.stop().await;
}

#[tokio::test]
async fn workers_are_listed_and_drained() {
    let pool = pool().await;
    pool.beat(1).await;
    let (_, workers) = pool.call(Method::GET, "/v1/workers").await;
    assert_eq!(
        (&workers["items"][0]["worker"], &workers["items"][0]["alive"]),
        (&json!(pool.worker), &json!(true))
    );
    let (status, _) = pool.call(Method::POST, &format!("/v1/workers/{}/drain", pool.worker)).await;
    assert_eq!(status, 202);
    assert!(pool.beat(1).await.drain);
    let unknown = format!("/v1/workers/{}/drain", ProcessId::new());
    assert_refused(&pool.call(Method::POST, &unknown).await, 404, "CP-1406", None);
    pool.stop().await;
}

#[tokio::test]
async fn metrics_and_health_speak_of_the_queues_and_the_workers() {
    let pool = pool().await;
    pool.enqueue(&json!({"kind": "a"})).await;
    pool.beat(3).await;
    let (status, health) = pool.call(Method::GET, "/health").await;
    assert_eq!(
        (status.as_u16(), &health["status"], &health["services"]["store"]),
        (200, &json!("healthy"), &json!("up"))
    );
    let (_, text) = pool.call(Method::GET, "/metrics").await;
    let text = text.as_str().unwrap();
    for line in [
        "clawpool_queue_ready{queue=\"normal.p4\"} 1",
        "clawpool_tasks_enqueued_total{queue=\"normal.p4\"} 1",
        "clawpool_workers{pool=\"general\"} 1",
        "clawpool_worker_tasks{pool=\"general\"} 3",
        "clawpool_http_request_seconds_count{method=\"POST\",route=\"/v1/tasks\",status=\"201\"} ",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    pool.stop().await;
}

/// Since the process began, by all dispatchers; and what a wait took is no request's time.
#[tokio::test]
async fn metrics_count_what_is_written_in_the_journal_refused_and_waited_for() {
    let pool = pool().await;
    let lines = async |lines: &[&str]| {
        let (_, text) = pool.call(Method::GET, "/metrics").await;
        let text = text.as_str().unwrap();
        for line in lines {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
    };
    let crash = |at| Entry { topic: Topic::Crash, at, subject: "general".into(), body: json!({}) };
    pool.beat(0).await;
    pool.store.append(None, &[crash(Timestamp::from_millis(1)), crash(Timestamp::now())]).await.unwrap();
    lines(&["clawpool_worker_crashes_total{pool=\"general\"} 1\n"]).await;
    let restart = Entry { topic: Topic::Restart, ..crash(Timestamp::now()) };
    let alert = Alert::new(Event::Hung, "it hangs").entry("general");
    pool.store.append(None, &[crash(Timestamp::now()), restart, alert]).await.unwrap();
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    pool.call(Method::GET, &format!("/v1/tasks/{id}?wait=1ms")).await;
    pool.post_json("/v1/tasks", r#"{"kind":"a","priority":"P9"}"#).await;
    pool.post_json("/v1/tasks", r#"{"kind":"a","timeout":"1000h"}"#).await;
    lines(&[
        "clawpool_worker_crashes_total{pool=\"general\"} 2\n",
        "clawpool_worker_restarts_total{pool=\"general\"} 1\n",
        "clawpool_alerts_total{event=\"hung\"} 1\n",
        "clawpool_alerts_firing{event=\"hung\",code=\"CP-1608\",level=\"error\"} 0\n",
        "clawpool_http_wait_seconds_count{method=\"GET\",route=\"/v1/tasks/{id}\",status=\"200\"} 1\n",
        "clawpool_rejects_total{code=\"CP-",
        "clawpool_schedule_lag_seconds 0\n",
        "clawpool_round_trip_seconds_count{server=\"sqlite\",operation=\"write\"} ",
    ])
    .await;
    pool.stop().await;
}

#[tokio::test]
async fn hosts_are_those_of_live_workers() {
    let pool = pool().await;
    pool.beat(2).await;
    let (status, hosts) = pool.call(Method::GET, "/v1/hosts").await;
    assert_eq!(status, 200);
    let host = &hosts["items"][0];
    assert_eq!(
        (&host["workers"], &host["running"], &host["pools"]),
        (&json!(1), &json!(2), &json!(["general"]))
    );
    pool.stop().await;
}

#[tokio::test]
async fn explain_says_which_rule_decides() {
    let pool = pool().await;
    let (status, fate) = pool.post_json("/v1/explain", r#"{"kind":"email.send","priority":"P1"}"#).await;
    assert_eq!(
        (status.as_u16(), &fate["priority"], &fate["queue"]),
        (200, &json!("P1"), &json!("critical.p1"))
    );
    assert!(fate["because"].is_string());
    assert_eq!(pool.call(Method::GET, "/v1/tasks").await.1["items"], json!([]));
    pool.stop().await;
}
