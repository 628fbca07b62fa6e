//! Links to Redis that die without a word: the server neither hangs up nor answers.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Event, Proxy, Servers, System, task, until};

#[tokio::test]
async fn an_urgent_task_starts_though_all_links_of_its_worker_died() {
    let servers = Servers::shared();
    let (proxy, url) = Proxy::before(&servers.redis).await;
    let mut system = System::apart(0, servers.settings()).await;
    system.add_worker_with(&[("CLAWPOOL__REDIS__URL", &url)]).await;
    for round in 0..3 {
        // One before, so that the worker has waited and waits again.
        let before = system.api.enqueue(task("P0", json!({}))).await;
        system.ledger.happened(before, Event::Done, 1).await;
        proxy.silence();
        let since = Instant::now();
        let id = system.api.enqueue(task("P0", json!({}))).await;
        system.ledger.happened(id, Event::Start, 1).await;
        let took = since.elapsed();
        println!("round {round}: a P0 task started {took:?} after all links of its worker had died");
        assert!(took < Duration::from_secs(15), "the goal is five seconds: {took:?}");
        system.ledger.happened(id, Event::Done, 1).await;
    }
    system.stop().await;
}

/// Long enough for the dispatcher to lose its leadership, and to try for new links that go nowhere.
#[tokio::test]
async fn delayed_tasks_and_retries_go_on_after_redis_was_silent() {
    let servers = Servers::shared();
    let (proxy, redis) = Proxy::before(&servers.redis).await;
    let system = System::apart(1, Servers { redis, ..servers }.settings()).await;
    let api = &system.api;
    let ledger = &system.ledger;
    for round in 0..3 {
        let mut delayed = task("P4", json!({}));
        delayed["delay"] = json!("5s");
        let before = api.enqueue(delayed.clone()).await;
        proxy.swallow(true);
        tokio::time::sleep(Duration::from_secs(4)).await;
        proxy.swallow(false);
        let since = Instant::now();
        ledger.happened(before, Event::Done, 1).await;
        delayed["delay"] = json!("1s");
        let offer = async || api.offer(vec![delayed.clone()]).await.filter(|taken| !taken.is_empty());
        let after = until("an enqueue", offer).await[0];
        ledger.happened(after, Event::Done, 1).await;
        println!("round {round}: delayed tasks were done {:?} after the silence", since.elapsed());
    }
    system.stop().await;
}
