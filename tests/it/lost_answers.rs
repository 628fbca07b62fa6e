//! A worker whose fetch was answered and who never heard it: it lives, runs nothing, and the broker counts
//! the task as its.

use std::time::Duration;

use clawpool_core::task::TaskId;
use serde_json::json;

use crate::support::{Event, LossyProxy, Server, Servers, System, balance, task};

/// Longer than it takes the worker to give up everything that it had asked for.
const OUTAGE: Duration = Duration::from_secs(4);

#[tokio::test]
async fn inv_1_a_task_whose_delivery_was_lost_runs() {
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let mut system = System::apart(0, servers.settings().with("redis.timeout = \"500ms\"")).await;
    let proxy = LossyProxy::before(&servers.redis).await;
    system.add_worker_with(&[("CLAWPOOL__REDIS__URL", &proxy.url)]).await;
    let before = system.api.enqueue(task("P0", json!({}))).await;
    system.ledger.happened(before, Event::Done, 1).await;
    let id = TaskId::new();
    proxy.lose(id.as_bytes());
    let mut lost = task("P0", json!({}));
    lost["id"] = json!(id);
    assert_eq!(system.api.enqueue(lost).await, id);
    proxy.lost().await;
    system.workers[0].line(&["fetching pauses"]).await;
    tokio::time::sleep(OUTAGE).await;
    proxy.recover();
    system.ledger.happened(id, Event::Done, 1).await;
    assert_eq!(system.ledger.times(id, Event::Start), 1);
    system.stop().await;
}

/// Commands that wait in a frozen server's buffers are done when it goes on, long after the clients
/// gave them up.
#[tokio::test]
async fn inv_1_freezes_of_redis_under_load_lose_nothing() {
    const FREEZES: usize = 4;
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let quick = "redis.timeout = \"500ms\"\nworker = { heartbeat = \"100ms\", lease = \"1s\" }";
    let system = System::apart(3, servers.settings().with(quick)).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let mut ids = Vec::new();
    for _ in 0..FREEZES {
        let producer = tokio::spawn(produce(api.clone()));
        let done = ledger.entries().len();
        ledger.until("work goes on", |entries| entries.len() > done + 100).await;
        redis.signal("STOP");
        tokio::time::sleep(OUTAGE).await;
        redis.signal("CONT");
        ids.extend(producer.await.unwrap());
    }
    println!("{} tasks were accepted around {FREEZES} freezes", ids.len());
    // A task that a silent worker held may have been taken over: that is a start more, and no loss.
    let balance = balance(api, ledger, &ids, ids.len()).await;
    assert_eq!((balance.completed, balance.crashes), (ids.len(), 0), "{balance:?}");
    system.stop().await;
}

/// Small batches, one after the other, for longer than a freeze.
async fn produce(api: crate::support::Api) -> Vec<TaskId> {
    let mut accepted = Vec::new();
    let end = tokio::time::Instant::now() + OUTAGE + Duration::from_secs(3);
    while tokio::time::Instant::now() < end {
        let batch = (0..5).map(|n| task(if n % 2 == 0 { "P0" } else { "P1" }, json!({"ms": 5}))).collect();
        accepted.extend(api.offer(batch).await.unwrap_or_default());
    }
    accepted
}
