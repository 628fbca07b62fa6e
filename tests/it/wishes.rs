//! What producers ask for beyond running: cancelling, deadlines, unique keys, waiting for results.

use std::time::Duration;

use clawpool_core::task::{DeadReason, State, TaskId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Event, Servers, Settings, System, task};

#[tokio::test]
async fn cancelling_expiring_uniqueness_and_waiting_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let data = toml::Value::from(folder.path().display().to_string());
    wishes(Settings::quick().with(&format!("embedded.data = {data}"))).await;
}

#[tokio::test]
async fn cancelling_expiring_uniqueness_and_waiting_cluster() {
    wishes(Servers::shared().settings()).await;
}

async fn wishes(settings: Settings) {
    let mut system = System::apart(0, settings).await;
    // While no worker runs.
    let queued = system.api.enqueue(task("P4", json!({}))).await;
    let scheduled = system.api.enqueue(with(task("P2", json!({})), "delay", "1h")).await;
    for id in [queued, scheduled] {
        assert_eq!(cancel(&system, id).await.0, StatusCode::OK);
        assert_eq!(system.api.task(id).await.state, State::Cancelled);
        assert_eq!(cancel(&system, id).await.0, StatusCode::CONFLICT, "twice");
    }
    let mut late = Vec::new();
    for priority in ["P0", "P2", "P5", "P6"] {
        late.push(system.api.enqueue(with(task(priority, json!({})), "ttl", "100ms")).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    system.add_worker().await;
    expires(&system, &late).await;
    cancels_a_running_task(&system).await;
    is_unique(&system).await;
    waits(&system).await;
    unknown(&system).await;
    for id in late.into_iter().chain([queued, scheduled]) {
        assert_eq!(system.ledger.times(id, Event::Start), 0, "{id} must not start");
    }
    system.stop().await;
}

fn with(mut task: Value, field: &str, value: &str) -> Value {
    task[field] = value.into();
    task
}

async fn cancel(system: &System, id: TaskId) -> (StatusCode, Value) {
    system.api.ask(system.api.request(Method::DELETE, &format!("v1/tasks/{id}"))).await
}

/// Never dropped in silence.
async fn expires(system: &System, late: &[TaskId]) {
    for id in late {
        assert_eq!(system.api.finished(*id).await.state, State::Dead);
        let letter = system.api.letter(*id).await.letter;
        assert_eq!(letter.reason, DeadReason::Expired, "{letter:?}");
    }
}

async fn cancels_a_running_task(system: &System) {
    let id = system.api.enqueue(task("P1", json!({"hold": "for ever"}))).await;
    system.ledger.happened(id, Event::Start, 1).await;
    let (status, answer) = cancel(system, id).await;
    assert_eq!((status, answer["state"].as_str()), (StatusCode::ACCEPTED, Some("running")), "{answer}");
    assert_eq!(system.api.finished(id).await.state, State::Cancelled);
    system.ledger.happened(id, Event::Broken, 1).await;
    assert_eq!(system.ledger.attempts(id), [1]);
}

async fn is_unique(system: &System) {
    let one = with(task("P3", json!({"hold": "unique"})), "unique_key", "only one");
    let id = system.api.enqueue(one.clone()).await;
    let (status, again) = system.api.post("v1/tasks", &one).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (again["id"].as_str(), &again["duplicate"]),
        (Some(id.to_string().as_str()), &json!(true)),
        "{again}"
    );
    system.ledger.open("unique");
    assert_eq!(system.api.finished(id).await.state, State::Completed);
    let next = system.api.enqueue(one).await;
    assert_ne!(next, id, "the key is free again");
    assert_eq!(system.api.finished(next).await.state, State::Completed);
    assert_eq!(system.ledger.times(id, Event::Start), 1);
}

async fn waits(system: &System) {
    let (status, answer) = system.api.post("v1/tasks?wait=30s", &task("P1", json!({"note": "hello"}))).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(answer["task"]["state"], "completed", "{answer}");
    assert_eq!(answer["task"]["result"]["note"], "hello", "{answer}");
    let held = system.api.enqueue(task("P1", json!({"hold": "waits"}))).await;
    let record: Value = system.api.get(&format!("v1/tasks/{held}?wait=10ms")).await;
    assert!(record["state"] != "completed", "{record}");
    system.ledger.open("waits");
    let record: Value = system.api.get(&format!("v1/tasks/{held}?wait=30s")).await;
    assert_eq!(record["state"], "completed", "{record}");
}

async fn unknown(system: &System) {
    let id = TaskId::new();
    for method in [Method::GET, Method::DELETE] {
        let (status, answer) = system.api.ask(system.api.request(method, &format!("v1/tasks/{id}"))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    }
    let (status, answer) = system.api.ask(system.api.request(Method::GET, "v1/tasks/nonsense")).await;
    assert_eq!((status, answer["field"].as_str()), (StatusCode::BAD_REQUEST, Some("id")), "{answer}");
}
