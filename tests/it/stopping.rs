//! Stopping costs no attempt and loses no outcome.

use clawpool_core::task::{State, TaskId};
use serde_json::json;

use crate::support::{Event, Servers, Settings, System, balance, task, until};

#[tokio::test]
async fn inv_8_sigterm_lets_short_tasks_finish_and_gives_long_ones_back() {
    let mut system = System::apart(1, impatient()).await;
    let (short, long) = started(&system).await;
    system.workers[0].signal("TERM");
    hands_over(&mut system, short, long).await;
}

#[tokio::test]
async fn inv_8_a_closed_standard_input_ends_a_supervised_worker_as_well() {
    let mut system = System::apart(0, impatient()).await;
    let id = uuid::Uuid::new_v4().to_string();
    system.add_worker_with(&[("CLAWPOOL_WORKER_ID", &id)]).await;
    let (short, long) = started(&system).await;
    drop(system.workers[0].stdin());
    hands_over(&mut system, short, long).await;
}

/// The whole pool is stopped and started again around a task that takes longer than the grace.
#[tokio::test]
async fn inv_8_a_stopped_and_restarted_pool_goes_on_with_the_same_attempt() {
    let mut system = System::embedded(1, Settings::quick().with("worker.grace = \"1s\"")).await;
    let id = system.api.enqueue(task("P3", json!({"hold": "long"}))).await;
    system.ledger.happened(id, Event::Start, 1).await;
    system.front.stop().await;
    assert_eq!(system.ledger.times(id, Event::Broken), 1);
    system.restart_up(1).await;
    system.ledger.happened(id, Event::Start, 2).await;
    system.ledger.open("long");
    let balance = balance(&system.api, &system.ledger, &[id], 1).await;
    assert_eq!((balance.completed, balance.crashes), (1, 0), "{balance:?}");
    assert_eq!(system.ledger.attempts(id), [1, 1]);
    system.stop().await;
}

fn impatient() -> Settings {
    Servers::shared().settings().with("worker.grace = \"1s\"")
}

async fn started(system: &System) -> (TaskId, TaskId) {
    let short = system.api.enqueue(task("P4", json!({"hold": "short"}))).await;
    let long = system.api.enqueue(task("P1", json!({"hold": "long"}))).await;
    system.ledger.happened(short, Event::Start, 1).await;
    system.ledger.happened(long, Event::Start, 1).await;
    (short, long)
}

async fn hands_over(system: &mut System, short: TaskId, long: TaskId) {
    system.workers[0].line(&["draining"]).await;
    system.ledger.open("short");
    let status = system.workers[0].ended().await;
    assert!(status.success(), "{status}");
    assert_eq!(system.ledger.times(short, Event::Done), 1);
    assert_eq!(system.ledger.times(long, Event::Broken), 1, "the long task was told to stop");
    let waits = system.api.task(long).await;
    assert_eq!((waits.state, waits.attempt, waits.crashes), (State::Queued, 0, 0), "{waits:?}");
    system.workers.clear();
    system.add_worker().await;
    system.ledger.happened(long, Event::Start, 2).await;
    system.ledger.open("long");
    let balance = balance(&system.api, &system.ledger, &[short, long], 1).await;
    assert_eq!((balance.completed, balance.crashes), (2, 0), "{balance:?}");
    assert_eq!(system.ledger.attempts(short), [1]);
    assert_eq!(system.ledger.attempts(long), [1, 1], "INV-8: the attempt was counted");
}

/// A worker that an operator sends away is replaced, and no crash is reported.
#[tokio::test]
async fn a_drained_worker_is_replaced_and_is_no_crash() {
    let system = System::embedded(1, Settings::quick()).await;
    let first = until("a worker that its supervisor has seen", async || {
        let workers = system.api.workers().await;
        workers.iter().find(|info| info.beats > 10).map(|info| info.beat.worker)
    })
    .await;
    system.api.post(&format!("v1/workers/{first}/drain"), &json!({})).await;
    until("another worker", async || {
        let workers = system.api.workers().await;
        workers.iter().any(|info| info.alive && info.beat.worker != first).then_some(())
    })
    .await;
    let crashes: clawpool_backends::store::Page<serde_json::Value> =
        system.api.get("v1/workers/crashes").await;
    assert!(crashes.items.is_empty(), "{:?}", crashes.items);
    system.stop().await;
}

/// Its terminal is closed.
#[cfg(unix)]
#[tokio::test]
async fn inv_8_sighup_drains() {
    let mut system = System::embedded_in_terminal(1, Settings::quick()).await;
    let id = system.api.enqueue(task("P3", json!({"hold": "hangup"}))).await;
    system.ledger.happened(id, Event::Start, 1).await;
    drop(system.front.stdin());
    system.front.line(&["finishing what runs"]).await;
    system.ledger.open("hangup");
    assert!(system.front.ended().await.success());
    assert_eq!(system.ledger.times(id, Event::Done), 1, "it was cut short");
}

/// The next leader does not wait for the lease of one whose process is gone.
#[cfg(unix)]
#[tokio::test]
async fn a_killed_up_is_followed_at_once() {
    let mut system = System::embedded(1, Settings::quick()).await;
    let orphan = system.api.workers().await[0].beat.pid;
    system.front.signal("KILL");
    system.front.ended().await;
    // As long as it lives it is one of the pool.
    until("the end of its worker", async || (!runs(orphan)).then_some(())).await;
    let since = std::time::Instant::now();
    system.restart_up(1).await;
    println!("recovery: kill -9 of `up` and a new one, to its first worker: {:?}", since.elapsed());
    let started = system.front.line(&["worker started"]).await;
    let led = system.front.line(&["\"leads\"", "autoscaler"]).await;
    assert!(seconds(&started) - seconds(&led) < 2.0, "{led}\n{started}");
    let serving = system.front.line(&["serving HTTP"]).await;
    assert!(seconds(&led) - seconds(&serving) < 2.0, "it waited for a lease of 5 s: {serving}\n{led}");
    system.stop().await;
}

/// A process that may be nobody's child here.
#[cfg(unix)]
fn runs(pid: u32) -> bool {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

    let pid = Pid::from_u32(pid);
    let mut system = System::new().unwrap();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    system.process(pid).is_some_and(|process| process.status() != ProcessStatus::Zombie)
}

/// Of the minute, by a line's own time.
#[cfg(unix)]
fn seconds(line: &str) -> f64 {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let time: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    time.as_millisecond() as f64 / 1000.0
}
