//! `kill -9` of the dispatcher while producers enqueue and tasks wait for their time.

use std::time::Instant;

use clawpool_core::task::TaskId;
use serde_json::json;

use crate::support::{Api, Entry, Event, Servers, Settings, System, balance, task};

#[tokio::test]
async fn inv_1_recovery_from_a_killed_dispatcher_cluster() {
    let mut system = System::apart(2, Servers::shared().settings()).await;
    let (mut second, standby) = system.second_dispatcher().await;
    let mut ids = enqueue_until_killed(&mut system).await;
    let killed = Instant::now();
    system.api = standby;
    promoted(&system, killed).await;
    ids.push(system.api.enqueue(task("P4", json!({}))).await);
    let balance = balance(&system.api, &system.ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    stop_workers(&mut system).await;
    second.stop().await;
}

async fn stop_workers(system: &mut System) {
    for worker in &mut system.workers {
        worker.stop().await;
    }
}

/// The workers of a killed `clawpool up` see their supervisor go and leave; the next `up` finds everything in
/// the file.
#[tokio::test]
async fn inv_1_recovery_from_a_killed_up_embedded() {
    let mut system = System::embedded(2, Settings::quick()).await;
    let mut ids = enqueue_until_killed(&mut system).await;
    let killed = Instant::now();
    system.restart_up(2).await;
    promoted(&system, killed).await;
    ids.push(system.api.enqueue(task("P4", json!({}))).await);
    let balance = balance(&system.api, &system.ledger, &ids, 1).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    system.stop().await;
}

/// A delayed task and a stream of batches, until the dispatcher dies under it. Only what was acknowledged is
/// claimed.
async fn enqueue_until_killed(system: &mut System) -> Vec<TaskId> {
    let mut delayed = task("P1", json!({"note": "delayed"}));
    delayed["delay"] = "3s".into();
    let mut ids = system.api.enqueue_all(vec![delayed; 3]).await;
    let producer = tokio::spawn(produce(system.api.clone()));
    let failed =
        |entries: &[Entry]| entries.iter().filter(|entry| entry.event == Event::Failed).count() >= 10;
    system.ledger.until("ten failed attempts", failed).await;
    system.front.kill().await;
    ids.extend(producer.await.unwrap());
    ids
}

/// Enqueues until there is no answer. Half of the tasks fail first, so that retries are pending at any time.
async fn produce(api: Api) -> Vec<TaskId> {
    let mut ids = Vec::new();
    loop {
        let batch = (0..7u32).map(|n| task(&format!("P{n}"), json!({"ms": 5, "failures": n % 2})));
        match api.offer(batch.collect()).await {
            Some(accepted) => ids.extend(accepted),
            None => return ids,
        }
        // As many as the workers can do; the pace itself proves nothing.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Waits until a dispatcher promotes due tasks again.
async fn promoted(system: &System, killed: Instant) {
    let retried = |entries: &[Entry]| {
        entries.iter().any(|entry| entry.event == Event::Start && entry.attempt == 2 && entry.at > killed)
    };
    system.ledger.until("a retry after the dispatcher's death", retried).await;
    println!("recovery: kill -9 of the dispatcher to the next promotion: {:?}", killed.elapsed());
}
