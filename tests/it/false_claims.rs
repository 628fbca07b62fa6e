//! Records that say of a living worker that it runs a task, and it does not: an operator wrote them by hand,
//! or a claim was lost in the worker.

use std::{path::Path, sync::Arc};

use clawpool_backends::store::{self, Claim, ClaimOutcome, Store};
use clawpool_core::{
    config::Config,
    task::{State, Timestamp},
};
use serde_json::{Value, json};

use crate::support::{Event, Servers, Settings, System, task, until};

/// Long enough for no honest claim, short enough for a test.
const DOUBT: &str = "worker.doubt = \"2s\"";

#[tokio::test]
async fn a_task_that_its_living_worker_does_not_run_starts_embedded() {
    starts_again(System::embedded(1, Settings::quick().with(DOUBT)).await).await;
}

#[tokio::test]
async fn a_task_that_its_living_worker_does_not_run_starts_on_a_cluster() {
    starts_again(System::apart(1, Servers::shared().settings().with(DOUBT)).await).await;
}

async fn opened(config: &Path) -> Arc<dyn Store> {
    store::open(&Config::load(Some(config), &[]).unwrap()).await.unwrap()
}

async fn starts_again(system: System) {
    let api = &system.api;
    let ledger = &system.ledger;
    let worker = api.workers().await[0].beat.worker;
    // The worker is asked about this one as well, several times, and does run it.
    let honest = api.enqueue(task("P4", json!({"ms": 9000}))).await;
    let (status, paused) = api.post("v1/queues/critical.p1/pause", &json!({})).await;
    assert!(status.is_success(), "{paused}");
    let id = api.enqueue(task("P1", json!({}))).await;
    let waits = api.task(id).await;
    let claim = Claim {
        id,
        generation: waits.generation,
        ticket: 77,
        kind: waits.kind,
        queue: waits.queue,
        attempt: waits.attempt,
        enqueued_at: waits.enqueued_at,
        expires_at: Timestamp::from_millis(waits.enqueued_at.as_millis() + 300_000),
    };
    let outcome = opened(&system.config).await.claim(worker, &[claim], false).await.unwrap()[0];
    assert!(matches!(outcome, ClaimOutcome::Run { .. }), "{outcome:?}");
    api.post("v1/queues/critical.p1/resume", &json!({})).await;
    let runs = api.task(id).await;
    assert_eq!((runs.state, runs.worker), (State::Running, Some(worker)));
    ledger.happened(id, Event::Done, 1).await;
    let done = api.finished(id).await;
    assert_eq!((done.attempt, done.crashes, ledger.times(id, Event::Start)), (0, 0, 1));
    let told = until("an alert", async || {
        let page: Value = api.get("v1/alerts").await;
        page["items"].as_array()?.iter().find(|alert| alert["event"] == "tasks_restored").cloned()
    });
    let told = told.await;
    assert!(told["text"].as_str().unwrap().contains(&id.to_string()), "{told}");
    api.finished(honest).await;
    assert_eq!(ledger.times(honest, Event::Start), 1, "what it runs stays with it");
    system.stop().await;
}
