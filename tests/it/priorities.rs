//! Urgent work beside a flood of other work. Order by the ledger; no clock.

use clawpool_core::task::TaskId;
use serde_json::json;

use crate::support::{Event, Servers, Settings, System, balance, task};

#[tokio::test]
async fn inv_4_p0_starts_while_a_flood_waits_embedded() {
    let system = System::embedded(1, narrow(Settings::quick())).await;
    beside_a_flood(&system).await;
    system.stop().await;
}

#[tokio::test]
async fn inv_4_p0_starts_while_a_flood_waits_cluster() {
    let system = System::apart(1, narrow(Servers::shared().settings())).await;
    beside_a_flood(&system).await;
    system.stop().await;
}

fn narrow(settings: Settings) -> Settings {
    settings.with("worker = { slots = 4, reserved = 1 }")
}

async fn beside_a_flood(system: &System) {
    let api = &system.api;
    let ledger = &system.ledger;
    let flood = |n: usize| task(["P4", "P6"][n % 2], json!({"hold": "flood", "ms": 10}));
    let flood: Vec<TaskId> = api.enqueue_all((0..120).map(flood).collect()).await;
    let started = |count: usize| {
        let flood = &flood;
        move |entries: &[crate::support::Entry]| {
            entries.iter().filter(|entry| entry.event == Event::Start && flood.contains(&entry.id)).count()
                >= count
        }
    };
    ledger.until("the flood fills every slot but the reserved one", started(3)).await;
    // None of those ends before the urgent task has.
    let first = api.enqueue(task("P0", json!({}))).await;
    ledger.happened(first, Event::Done, 1).await;
    assert!(!started(4)(&ledger.entries()), "the reserved slot went to the flood");
    // And while the flood flows.
    ledger.open("flood");
    ledger.until("the flood flows", started(20)).await;
    let second = api.enqueue(task("P1", json!({}))).await;
    ledger.happened(second, Event::Start, 1).await;
    let entries = ledger.entries();
    assert!(!started(flood.len())(&entries), "P1 had to wait for the whole flood");
    let ids: Vec<TaskId> = flood.iter().copied().chain([first, second]).collect();
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "no task starves: {balance:?}");
}
