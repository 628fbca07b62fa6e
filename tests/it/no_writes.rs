//! A Redis that answers and takes no writes, for longer than any lease: out of memory, a replica, without its
//! replicas.

use std::time::{Duration, Instant};

use clawpool_core::task::{State, TaskId};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Event, Process, Server, Servers, System, balance, clawpool, task, until};

const OUTAGE: Duration = Duration::from_secs(5);

/// What work may take to go on after the server's return; measured, printed, and held generously above the
/// promised second.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn work_waits_for_a_redis_that_is_out_of_memory() {
    outage("OOM", "maxmemory", "CONFIG SET maxmemory 1mb", "CONFIG SET maxmemory 0").await;
}

#[tokio::test]
async fn work_waits_for_a_redis_that_is_a_replica() {
    outage("READONLY", "replica", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE").await;
}

#[tokio::test]
async fn work_waits_for_a_redis_that_misses_its_replicas() {
    let setting = "min-replicas-to-write";
    outage("NOREPLICAS", setting, &format!("CONFIG SET {setting} 1"), &format!("CONFIG SET {setting} 0"))
        .await;
}

/// `clawpool up` with two workers, a lone worker and an autoscaler: all of them stay.
async fn outage(name: &str, advice: &str, begin: &str, end: &str) {
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let settings = servers.settings().with("worker = { heartbeat = \"200ms\", lease = \"1s\" }");
    let mut system = System::embedded(2, settings).await;
    system.add_worker().await;
    let pids = pids(&system).await;
    let held: Vec<TaskId> = system
        .api
        .enqueue_all(["P0", "P1", "P2", "P4", "P6"].map(|p| task(p, json!({"hold": "outage"}))).into())
        .await;
    for id in &held {
        system.ledger.happened(*id, Event::Start, 1).await;
    }
    say(&redis, begin).await;
    let refused = until("a refusal", async || {
        let response =
            system.api.request(reqwest::Method::POST, "v1/tasks").json(&task("P0", json!({}))).send().await;
        response.ok().filter(|response| !response.status().is_success())
    })
    .await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let body = refused.text().await.unwrap();
    assert!(body.contains(name) && body.contains(advice), "{body}");
    // Running work ends; what became of it waits.
    system.ledger.open("outage");
    for id in &held {
        system.ledger.happened(*id, Event::Done, 1).await;
    }
    tokio::time::sleep(OUTAGE).await;
    say(&redis, end).await;
    let back = Instant::now();
    let after = system.api.enqueue(task("P0", json!({}))).await;
    system.ledger.happened(after, Event::Start, 1).await;
    let started = back.elapsed();
    until("the outcomes of before", async || {
        let record = system.api.task(held[0]).await;
        (record.state == State::Completed).then_some(())
    })
    .await;
    let settled = back.elapsed();
    println!(
        "{name}: a new task starts {started:?} after the return, a waiting outcome is there after {settled:?}"
    );
    assert!(settled < SOON, "{settled:?}");
    let delayed = system.api.enqueue(json!({"kind": "it.work", "payload": {}, "delay": "100ms"})).await;
    system.ledger.happened(delayed, Event::Done, 1).await;
    println!("{name}: a delayed task is done {:?} after the return", back.elapsed());
    let all = [held, vec![after, delayed]].concat();
    let balance = balance(&system.api, &system.ledger, &all, 0).await;
    assert_eq!((balance.completed, balance.crashes, balance.repeated), (all.len(), 0, 0), "{balance:?}");
    assert_eq!(self::pids(&system).await, pids, "no worker left");
    let alerts = system.cli().ok(&["alerts"]).await;
    assert!(!alerts.contains("restart"), "{alerts}");
    let crashes = system.cli().ok(&["workers", "crashes"]).await;
    assert!(!crashes.contains("default"), "{crashes}");
    system.stop().await;
}

/// The processes of all workers.
async fn pids(system: &System) -> Vec<u32> {
    until("three workers", async || {
        let workers = system.api.workers().await;
        let mut pids: Vec<u32> = workers.iter().filter(|info| info.alive).map(|info| info.beat.pid).collect();
        pids.sort_unstable();
        (pids.len() == 3).then_some(pids)
    })
    .await
}

/// One command to the server, by hand.
async fn say(server: &Server, command: &str) {
    let address = reqwest::Url::parse(&server.url()).unwrap();
    let mut stream =
        TcpStream::connect((address.host_str().unwrap(), address.port().unwrap())).await.unwrap();
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 3];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+OK", "{command}");
}

/// A worker that dies while nothing can be written: its pool's operator learns of it afterwards.
#[tokio::test]
async fn an_alert_of_the_outage_is_written_after_it() {
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let pool = "[[pools]]\nname = \"it\"\nworkers = 1\nrestart = { policy = \"manual\" }";
    let settings = servers.settings().with("worker = { heartbeat = \"200ms\", lease = \"1s\" }").with(pool);
    let system = System::embedded(1, settings).await;
    let pid = system.api.workers().await[0].beat.pid;
    say(&redis, "CONFIG SET maxmemory 1mb").await;
    crate::support::signal(pid, "KILL");
    system.front.line(&["waits for `clawpool workers restart`"]).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    say(&redis, "CONFIG SET maxmemory 0").await;
    until("the alert", async || system.cli().ok(&["alerts"]).await.contains("CP-1606").then_some(())).await;
    until("the report", async || {
        system.cli().ok(&["workers", "crashes"]).await.contains("SIGKILL").then_some(())
    })
    .await;
    system.stop().await;
}

/// Programs that are started meanwhile wait as well, and end when an operator asks them to.
#[tokio::test]
async fn programs_that_start_during_the_outage_wait() {
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let mut system = System::apart(0, servers.settings()).await;
    say(&redis, "CONFIG SET maxmemory 1mb").await;
    let mut command = clawpool(&system.config);
    command.arg("worker");
    let worker = Process::start("worker", command);
    worker.line(&["heartbeats are missed"]).await;
    let mut command = clawpool(&system.config);
    command.arg("worker");
    let mut unwanted = Process::start("unwanted worker", command);
    unwanted.line(&["heartbeats are missed"]).await;
    unwanted.signal("TERM");
    assert!(!unwanted.ended().await.success(), "it has done nothing");
    say(&redis, "CONFIG SET maxmemory 0").await;
    worker.line(&["the worker is ready"]).await;
    system.workers.push(worker);
    let id = system.api.enqueue(task("P0", json!({}))).await;
    system.ledger.happened(id, Event::Done, 1).await;
    system.stop().await;
}
