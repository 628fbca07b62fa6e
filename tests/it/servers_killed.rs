//! `kill -9` of redis-server and of rabbitmq-server under load.

use std::time::{Duration, Instant};

use clawpool_core::task::TaskId;
use serde_json::json;

use crate::support::{Event, Server, Servers, System, balance, task};

/// How long the server stays away.
const OUTAGE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn inv_5_recovery_from_a_killed_redis() {
    let mut redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let system = System::apart(2, servers.settings()).await;
    outage(system, &mut redis).await;
}

#[tokio::test]
async fn inv_5_recovery_from_a_killed_rabbitmq() {
    let mut rabbitmq = Server::rabbitmq().await;
    let servers = Servers { rabbitmq: rabbitmq.url(), ..Servers::shared() };
    let system = System::apart(2, servers.settings()).await;
    // RabbitMQ writes a new quorum queue's registration some seconds later. One that was declared right
    // before kill -9 answers no client after the restart; that is RabbitMQ's own and not what is tested here.
    tokio::time::sleep(Duration::from_secs(6)).await;
    outage(system, &mut rabbitmq).await;
}

/// Longer than the lease: that no worker could say that it lives makes none dead.
#[tokio::test]
async fn inv_2_a_redis_that_stands_still_takes_no_task_from_a_worker() {
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let system =
        System::apart(2, servers.settings().with("worker = { heartbeat = \"100ms\", lease = \"1s\" }")).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let held = (0..7).map(|n| task(&format!("P{n}"), json!({"hold": "still"})));
    let ids = api.enqueue_all(held.collect()).await;
    for id in &ids {
        ledger.happened(*id, Event::Start, 1).await;
    }
    redis.signal("STOP");
    tokio::time::sleep(OUTAGE).await;
    redis.signal("CONT");
    let after = api.enqueue(task("P0", json!({}))).await;
    ledger.happened(after, Event::Done, 1).await;
    ledger.open("still");
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!((balance.completed, balance.crashes, balance.repeated), (7, 0, 0), "{balance:?}");
    system.stop().await;
}

/// Running tasks end while the server is away. Afterwards everything goes on by itself: each acknowledged
/// task is done, once, and no attempt was burnt.
async fn outage(system: System, server: &mut Server) {
    let api = &system.api;
    let ledger = &system.ledger;
    let mut ids = api.enqueue_all(load()).await;
    let held: Vec<TaskId> = ids[..7].to_vec();
    for id in &held {
        ledger.happened(*id, Event::Start, 1).await;
    }
    server.kill().await;
    ledger.open("outage");
    // No producer may be told that these were taken, unless they were.
    let during = tokio::spawn({
        let api = api.clone();
        async move { api.offer(load()).await.unwrap_or_default() }
    });
    tokio::time::sleep(OUTAGE).await;
    server.restart().await;
    let back = Instant::now();
    ids.extend(during.await.unwrap());
    let after = crate::support::until("an enqueue after the outage", async || {
        api.offer(vec![task("P0", json!({})), task("P2", json!({})), task("P4", json!({}))])
            .await
            .filter(|ids| ids.len() == 3)
    })
    .await;
    for id in &after {
        ledger.happened(*id, Event::Start, 1).await;
    }
    println!("recovery: the server's return to consumption of all its lanes: {:?}", back.elapsed());
    ids.extend(after);
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    assert_eq!(balance.crashes, 0, "no worker died: {balance:?}");
    for record in &balance.records {
        assert_eq!(record.attempt, 0, "an attempt was burnt: {record:?}");
        assert_eq!(ledger.attempts(record.id), [1], "INV-5: started again: {record:?}");
    }
    system.stop().await;
}

/// One task a priority that holds until the outage, and many that are quick.
fn load() -> Vec<serde_json::Value> {
    let held = (0..7).map(|n| task(&format!("P{n}"), json!({"hold": "outage"})));
    held.chain((0..49).map(|n| task(&format!("P{}", n % 7), json!({"ms": 40})))).collect()
}
