//! Stopping costs no attempt and loses no outcome.

use clawpool::task::{State, TaskId};
use serde_json::json;

use crate::support::{Event, Servers, Settings, System, balance, task};

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
