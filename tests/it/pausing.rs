//! What "paused" promises.

use std::time::{SystemTime, UNIX_EPOCH};

use clawpool_core::task::Timestamp;
use serde_json::json;

use crate::support::{Event, Settings, System, balance, task};

#[tokio::test]
async fn after_paused_nothing_of_the_queue_starts() {
    let settings = Settings::quick().with("worker = { slots = 16, reserved = 0, heartbeat = \"1s\" }");
    let system = System::embedded(1, settings).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let ids = api.enqueue_all((0..1000).map(|_| task("P4", json!({"ms": 40}))).collect()).await;
    ledger.until("the queue flows", |entries| entries.iter().any(|entry| entry.event == Event::Done)).await;
    let (status, view) = api.post("v1/queues/normal.p4/pause", &json!({})).await;
    let paused = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(status.is_success() && view.get("unconfirmed").is_none(), "{status} {view}");
    let ready = view["ready"].as_u64().unwrap();
    assert!(ready > 0, "the queue was empty before it was paused: {view}");
    // Another queue still works, and with it the same worker.
    let other = api.enqueue(task("P5", json!({}))).await;
    ledger.happened(other, Event::Done, 1).await;
    let mut late = Vec::new();
    for id in &ids {
        late.extend(
            api.task(*id).await.started_at.filter(|started| *started > Timestamp::from_millis(paused as u64)),
        );
    }
    assert!(late.is_empty(), "{} tasks started after the pause was answered, {ready} waited", late.len());
    api.post("v1/queues/normal.p4/resume", &json!({})).await;
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    system.stop().await;
}
