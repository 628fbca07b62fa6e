//! Pools that grow and shrink, with real processes. Times are scaled down in the configuration; what is
//! asserted are sizes and the order of events.

mod busy_pool;

use std::collections::BTreeSet;

use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_core::scaling::Action;
use clawpool_engine::client::{
    Cause, PoolStatus,
    view::{AutoscalerView, ScalingView},
};
use serde_json::json;

pub(crate) use busy_pool::BusyPool;

use crate::support::{Api, Event, Server, Servers, Settings, System, balance, signal, task, until};

/// A pool of workers with two slots each that tracks what waits and runs.
pub(crate) fn pool(settings: Settings, min: u32, max: u32) -> Settings {
    settings.with(&format!(
        r#"
        [[pools]]
        name = "it"
        min = {min}
        max = {max}
        slots = 2
        reserved = 0
        [autoscale]
        every = "200ms"
        policies = []
        forecast = {{ mode = "off" }}
        [autoscale.target]
        busy = 100.0
        drain = "1s"
        wait = "60s"
        settle = "2s"
        per_minute = 100
        cooldown_out = "300ms"
        cooldown_in = "300ms"
        "#
    ))
}

/// The workers' processes.
pub(crate) fn pids(workers: &[WorkerInfo]) -> BTreeSet<u32> {
    workers.iter().map(|worker| worker.beat.pid).collect()
}

/// Those that take tasks.
pub(crate) async fn at_work(api: &Api) -> Vec<WorkerInfo> {
    api.workers().await.into_iter().filter(|worker| worker.alive && !worker.beat.draining).collect()
}

pub(crate) async fn size(api: &Api, wanted: usize) -> Vec<WorkerInfo> {
    until(&format!("{wanted} workers at work"), async || {
        let workers = at_work(api).await;
        (workers.len() == wanted).then_some(workers)
    })
    .await
}

pub(crate) async fn status(api: &Api) -> PoolStatus {
    until("a status", async || api.get::<AutoscalerView>("v1/autoscaler").await.items.pop()).await
}

pub(crate) async fn history(api: &Api) -> Vec<ScalingView> {
    api.get::<Page<ScalingView>>("v1/autoscaler/history?pool=it").await.items
}

#[tokio::test]
async fn inv_7_a_flood_grows_the_pool_and_an_empty_queue_shrinks_it_and_no_task_is_interrupted() {
    let system = System::embedded(1, pool(Settings::quick(), 1, 4)).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let long = api.enqueue(task("P4", json!({"hold": "long"}))).await;
    ledger.happened(long, Event::Start, 1).await;
    let mut ids = api.enqueue_all(vec![task("P4", json!({"hold": "flood"})); 12]).await;
    size(api, 4).await;
    let runner = api.runner(long).await;
    ledger.open("flood");
    let left = size(api, 1).await;
    assert_eq!(left[0].beat.pid, runner, "the one with a task stays");
    ledger.open("long");
    ids.push(long);
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!((balance.completed, balance.crashes, balance.repeated), (ids.len(), 0, 0), "{balance:?}");
    assert!(ledger.entries().iter().all(|entry| entry.event != Event::Broken), "a task was interrupted");
    let changes = history(api).await;
    let grew = changes.iter().any(|entry| matches!(entry.change.decision.action, Action::Grow { .. }));
    let shrank = changes.iter().any(|entry| matches!(entry.change.decision.action, Action::Shrink { .. }));
    assert!(grew && shrank && changes.iter().all(|entry| entry.change.to <= 4), "{changes:?}");
    assert!(
        changes.iter().all(|entry| !entry.change.decision.votes.is_empty()),
        "with their inputs: {changes:?}"
    );
    system.stop().await;
}

#[tokio::test]
async fn inv_7_a_killed_worker_is_replaced_and_the_pool_keeps_its_size() {
    let system = System::embedded(2, pool(Settings::quick(), 2, 4)).await;
    let before: BTreeSet<u32> = size(&system.api, 2).await.iter().map(|worker| worker.beat.pid).collect();
    let victim = *before.first().unwrap();
    signal(victim, "KILL");
    until("a new one", async || {
        let workers = at_work(&system.api).await;
        assert!(workers.len() <= 2, "{workers:?}");
        (workers.len() == 2 && workers.iter().all(|worker| worker.beat.pid != victim)).then_some(())
    })
    .await;
    system.stop().await;
}

#[tokio::test]
async fn inv_7_a_killed_autoscaler_is_followed_by_another_and_nothing_is_started_twice() {
    let mut system = System::apart(0, pool(Servers::shared().settings(), 2, 3)).await;
    let mut first = system.autoscaler(&[]);
    let api = system.api.clone();
    let old = pids(&size(&api, 2).await);
    let leader = status(&api).await.by;
    let mut second = system.autoscaler(&[]);
    let held = api.enqueue(task("P4", json!({"hold": "takeover"}))).await;
    system.ledger.happened(held, Event::Start, 1).await;
    let killed = std::time::Instant::now();
    first.kill().await;
    until("the second to lead, with workers of its own", async || {
        let workers = at_work(&api).await;
        assert!(workers.len() <= 2, "started twice: {workers:?}");
        let new = workers.iter().filter(|worker| !old.contains(&worker.beat.pid)).count();
        (new == 2 && status(&api).await.by != leader).then_some(())
    })
    .await;
    println!("recovery: kill -9 of the autoscaler to a whole pool under the next: {:?}", killed.elapsed());
    system.ledger.open("takeover");
    let balance = balance(&api, &system.ledger, &[held], 1).await;
    assert_eq!(balance.completed, 1, "{balance:?}");
    until("the orphans to leave", async || (api.workers().await.len() == 2).then_some(())).await;
    second.stop().await;
    system.workers.clear();
    system.stop().await;
}

#[tokio::test]
async fn inv_7_the_pool_holds_its_size_while_the_store_is_away() {
    let mut redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let pool = BusyPool::start(&servers).await;
    redis.kill().await;
    // It leads until its lease has passed without an answer.
    pool.autoscaler.line(&["leads no longer"]).await;
    pool.workers.iter().for_each(|pid| signal(*pid, "0"));
    redis.restart().await;
    let after = pids(&size(&pool.system.api, 3).await);
    assert_eq!(after, pool.workers, "no worker left and none came");
    pool.system.ledger.open("outage");
    pool.end().await;
}

#[tokio::test]
async fn operators_scale_pause_resume_and_look() {
    let system = System::embedded(1, pool(Settings::quick(), 1, 4)).await;
    let api = &system.api;
    let cli = system.cli();
    let scaled = cli.json(&["autoscaler", "scale", "it", "3", "--for", "10m"]).await;
    assert_eq!(scaled["size"], 3, "{scaled}");
    size(api, 3).await;
    let seen = until("the manual size", async || {
        let status = status(api).await;
        (status.cause == Cause::Manual && status.current == 3).then_some(status)
    })
    .await;
    assert_eq!((seen.wanted, seen.manual.map(|manual| manual.size)), (3, Some(3)));
    let table = cli.ok(&["autoscaler", "status"]).await;
    assert!(table.contains("manual 3") && table.contains("target"), "{table}");

    cli.ok(&["autoscaler", "pause", "it"]).await;
    cli.ok(&["autoscaler", "resume", "it"]).await;
    size(api, 1).await;
    cli.ok(&["autoscaler", "pause"]).await;
    until("the pause", async || (status(api).await.cause == Cause::Paused).then_some(())).await;
    let ids = api.enqueue_all(vec![task("P4", json!({"hold": "paused"})); 8]).await;
    until("an unheard wish for more", async || {
        let status = status(api).await;
        (status.decision.wanted > 1 && status.wanted == 1).then_some(())
    })
    .await;
    assert_eq!(at_work(api).await.len(), 1);
    cli.ok(&["autoscaler", "resume"]).await;
    size(api, 4).await;
    system.ledger.open("paused");
    assert_eq!(balance(api, &system.ledger, &ids, 0).await.completed, 8);

    let listed = cli.ok(&["autoscaler", "history", "it"]).await;
    assert!(listed.contains("manual") && listed.contains("1 -> 3"), "{listed}");
    for wrong in [&["autoscaler", "scale", "it", "9"][..], &["autoscaler", "pause", "unknown"]] {
        let said = cli.run(wrong).await;
        assert!(said.code == Some(1) && said.err.contains("CP-"), "{wrong:?}: {said:?}");
    }
    let metrics = api.request(reqwest::Method::GET, "metrics").send().await.unwrap().text().await.unwrap();
    for line in
        ["clawpool_pool_size{pool=\"it\"}", "clawpool_pool_decisions_total{pool=\"it\",action=\"grow\"}"]
    {
        assert!(metrics.contains(line), "{line} is missing in:\n{metrics}");
    }
    system.stop().await;
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let system = System::apart(1, pool(Servers::shared().settings(), 3, 4)).await;
    let mut dry = system.autoscaler(&["--dry-run"]);
    let status = status(&system.api).await;
    assert!(status.dry_run && status.wanted == 3, "{status:?}");
    let change = until("its decision", async || history(&system.api).await.pop()).await;
    assert!(change.change.dry_run && change.change.to == 3, "{change:?}");
    assert_eq!(at_work(&system.api).await.len(), 1, "only the one that the test started");
    dry.stop().await;
    system.stop().await;
}
