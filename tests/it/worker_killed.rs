//! `kill -9` of a worker under load.

use std::time::Instant;

use serde_json::json;

use crate::support::{Event, System, assert_counted, balance, signal, task};

#[tokio::test]
async fn inv_1_recovery_from_a_killed_worker_embedded() {
    let system = System::embedded(2, crate::support::Settings::quick()).await;
    kill_under_load(&system, "supervised, embedded").await;
    system.stop().await;
}

#[tokio::test]
async fn inv_1_recovery_from_a_killed_worker_cluster() {
    let mut system = System::cluster(2).await;
    let killed = kill_under_load(&system, "unsupervised, cluster").await;
    system.workers.retain(|worker| worker.pid() != killed);
    system.stop().await;
}

/// Work on every lane, some of it failing first. One task a lane holds until the worker that runs it is dead.
async fn kill_under_load(system: &System, what: &str) -> u32 {
    let api = &system.api;
    let ledger = &system.ledger;
    let held = api.enqueue(task("P2", json!({"hold": "killed"}))).await;
    let mut load = Vec::new();
    for n in 0..70u64 {
        let priority = format!("P{}", n % 7);
        load.push(task(&priority, json!({"ms": 20 + n % 50, "failures": u32::from(n % 5 == 0)})));
    }
    let mut ids = api.enqueue_all(load).await;
    ids.push(held);
    ledger.happened(held, Event::Start, 1).await;
    let victim = api.runner(held).await;
    let killed = Instant::now();
    signal(victim, "KILL");
    ledger.happened(held, Event::Start, 2).await;
    println!("recovery: kill -9 of a worker ({what}) to the same task's next start: {:?}", killed.elapsed());
    ledger.open("killed");
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    assert_counted(api, &balance).await;
    let record = api.task(held).await;
    assert_eq!((record.attempt, record.crashes), (0, 1), "a crash is no attempt: {record:?}");
    assert_eq!(ledger.attempts(held), [1, 1]);
    println!(
        "{} tasks completed, {} crashes, {} repeated starts",
        balance.completed, balance.crashes, balance.repeated
    );
    victim
}
