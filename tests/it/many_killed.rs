//! Workers that die with many tasks, and how soon each of these starts again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use clawpool_core::{
    config::Config,
    task::{DeadReason, State, TaskId},
};
use serde_json::json;

use crate::{
    bad_handlers,
    support::{Entry, Event, Ledger, Servers, Settings, System, balance, signal, task, until},
};

/// A supervised worker with room for all of them, which may be killed as often as a test likes.
const POOL: &str = "[[pools]]\nname = \"it\"\nworkers = 1\nslots = 104\nreserved = 2";
const REDIS: &str =
    "lanes = { critical = \"redis\", high = \"redis\", normal = \"redis\", background = \"redis\" }";

#[tokio::test]
async fn recovery_from_a_killed_worker_with_many_tasks_embedded() {
    let system = System::embedded(1, Settings::quick().with("worker = { slots = 104, reserved = 2 }")).await;
    killed_with_many(&system, "P0", "embedded").await;
    system.stop().await;
}

#[tokio::test]
async fn recovery_from_a_killed_worker_with_many_tasks_on_redis_lanes() {
    let system = System::apart(0, Servers::shared().settings().with(REDIS).with(POOL)).await;
    let mut autoscaler = system.autoscaler(&[]);
    killed_with_many(&system, "P0", "Redis").await;
    autoscaler.stop().await;
    system.stop().await;
}

#[tokio::test]
async fn recovery_from_a_killed_worker_with_many_tasks_on_rabbitmq_lanes() {
    let system = System::apart(0, Servers::shared().settings().with(POOL)).await;
    let mut autoscaler = system.autoscaler(&[]);
    killed_with_many(&system, "P4", "RabbitMQ").await;
    autoscaler.stop().await;
    system.stop().await;
}

async fn killed_with_many(system: &System, priority: &str, lanes: &str) {
    let api = &system.api;
    let ledger = &system.ledger;
    let ids = api.enqueue_all((0..96).map(|_| task(priority, json!({"hold": "killed"}))).collect()).await;
    for kill in 1..=3 {
        all_started(ledger, &ids, kill).await;
        let victim = api.runner(ids[0]).await;
        let killed = Instant::now();
        signal(victim, "KILL");
        let first = started_again(ledger, &ids, kill + 1, 1).await - killed;
        let last = started_again(ledger, &ids, kill + 1, ids.len()).await - killed;
        println!(
            "recovery: kill -9 of a worker with 96 tasks ({lanes}), time {kill}: first {first:?}, last \
            {last:?}"
        );
        assert!(
            last < 10 * first + Duration::from_secs(3),
            "they wait for one another: {first:?} to {last:?}"
        );
    }
    ledger.open("killed");
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
}

/// When `many` of the tasks had started so many times.
async fn started_again(ledger: &Ledger, ids: &[TaskId], times: usize, many: usize) -> Instant {
    let nth = |entries: &[Entry]| {
        let mut starts: HashMap<TaskId, usize> = HashMap::new();
        let begun = entries.iter().filter(|entry| entry.event == Event::Start && ids.contains(&entry.id));
        let mut again = begun.filter(|entry| {
            let count = starts.entry(entry.id).or_default();
            *count += 1;
            *count == times
        });
        again.nth(many - 1).map(|entry| entry.at)
    };
    ledger.until(&format!("{many} tasks started {times} times"), |entries| nth(entries).is_some()).await;
    nth(&ledger.entries()).unwrap()
}

async fn all_started(ledger: &Ledger, ids: &[TaskId], times: usize) {
    let what = format!("{} tasks started {times} times", ids.len());
    ledger
        .until(&what, |entries| {
            let mut starts: HashMap<TaskId, usize> = HashMap::new();
            for entry in entries.iter().filter(|entry| entry.event == Event::Start) {
                *starts.entry(entry.id).or_default() += 1;
            }
            ids.iter().all(|id| starts.get(id).is_some_and(|count| *count >= times))
        })
        .await;
}

/// A task that kills every worker that starts it, among five hundred that do nothing of the kind and take
/// their time.
#[tokio::test]
async fn inv_3_no_innocent_of_five_hundred_dies_of_a_poison_task() {
    let (deaths, longest) = among_five_hundred("bad.abort").await;
    // Three, or four where another one happened to be polled beside it twice.
    assert!((3..=4).contains(&deaths), "{deaths}");
    // What is promised is 3 s; the machine may be busy.
    assert!(longest < Duration::from_secs(10), "{longest:?}");
}

/// No supervisor sees which one it is.
#[tokio::test]
async fn inv_3_no_innocent_of_five_hundred_dies_of_a_poison_task_that_aborts_in_a_thread() {
    let (deaths, _) = among_five_hundred("bad.thread").await;
    // Each death halves those who may be the one, and chance halves them unevenly; a search one by one would
    // take hundreds.
    assert!((3..=40).contains(&deaths), "{deaths}");
}

/// How many workers died, and how long the others waited at most.
async fn among_five_hundred(kind: &str) -> (u32, Duration) {
    let settings = Settings::quick().with("worker = { slots = 260, reserved = 2 }");
    let system = bad_handlers::system_with(settings, 2).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let ids = api.enqueue_all((0..500).map(|_| task("P0", json!({"hold": "poison"}))).collect()).await;
    all_started(ledger, &ids, 1).await;
    let poison = api.enqueue(json!({"kind": kind, "priority": "P0"})).await;
    let record = api.finished(poison).await;
    assert_eq!(record.state, State::Dead, "{record:?}");
    assert_eq!(api.letter(poison).await.letter.reason, DeadReason::Poison);
    until("all tasks to run again", async || {
        let running = ledger.entries().iter().fold(0i64, |running, entry| match entry.event {
            Event::Start => running + 1,
            _ => running - 1,
        });
        (running == 500).then_some(())
    })
    .await;
    let mut waits = waits(ledger);
    waits.sort_unstable();
    let longest = waits[waits.len() - 1];
    println!(
        "one {kind} of 501: dead after {} deaths of workers; {} restarts of others: median {:?}, p99 {:?}, \
        longest {longest:?}",
        record.crashes,
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
    );
    ledger.open("poison");
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    system.stop().await;
    (record.crashes, longest)
}

/// It is being polled whenever the supervisor looks, and an operator kills its workers.
#[tokio::test]
async fn inv_3_a_busy_task_is_not_blamed_for_kills_from_outside() {
    let system = bad_handlers::system_with(Settings::quick(), 1).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let beside = api.enqueue_all((0..3).map(|_| task("P0", json!({"hold": "killed"}))).collect()).await;
    let busy = api.enqueue(json!({"kind": "bad.busy", "priority": "P0"})).await;
    for kill in 1..=3 {
        all_started(ledger, &beside, kill).await;
        signal(api.runner(busy).await, "KILL");
        until("the death counts", async || (api.task(busy).await.crashes >= kill as u32).then_some(())).await;
    }
    let record = api.finished(busy).await;
    assert_eq!((record.state, record.crashes), (State::Completed, 3), "{record:?}");
    ledger.open("killed");
    let balance = balance(api, ledger, &beside, 0).await;
    assert_eq!(balance.completed, beside.len(), "{balance:?}");
    system.stop().await;
}

/// From each death to the next start of the same task.
fn waits(ledger: &Ledger) -> Vec<Duration> {
    let mut broken = HashMap::new();
    let mut waits = Vec::new();
    for entry in ledger.entries() {
        match entry.event {
            Event::Broken => drop(broken.insert(entry.id, entry.at)),
            Event::Start => waits.extend(broken.remove(&entry.id).map(|since| entry.at - since)),
            _ => {}
        }
    }
    waits
}

/// RabbitMQ delivers again at once, before the worker's lease is ended; by itself it would end long after
/// this test.
#[tokio::test]
async fn recovery_from_killed_supervised_workers_on_rabbitmq_lanes() {
    let settings = Servers::shared().settings().with("worker.lease = \"300s\"");
    let settings = settings.with("[[pools]]\nname = \"it\"\nworkers = 2\nslots = 4\nreserved = 0");
    let system = System::apart(0, settings).await;
    let mut autoscaler = system.autoscaler(&[]);
    let api = &system.api;
    let ledger = &system.ledger;
    let mut times = Vec::new();
    let mut ids = Vec::new();
    for kill in 0..12 {
        let id = api.enqueue(task("P4", json!({"hold": format!("killed {kill}")}))).await;
        ledger.happened(id, Event::Start, 1).await;
        let victim = api.runner(id).await;
        let killed = Instant::now();
        signal(victim, "KILL");
        ledger.happened(id, Event::Start, 2).await;
        times.push(killed.elapsed());
        ledger.open(&format!("killed {kill}"));
        ids.push(id);
        let record = api.finished(id).await;
        assert_eq!((record.state, record.crashes), (State::Completed, 1), "kill {kill}: {record:?}");
    }
    times.sort_unstable();
    println!("recovery: kill -9 of a worker (supervised, RabbitMQ) to the same task's next start: {times:?}");
    let balance = balance(api, ledger, &ids, 0).await;
    assert_eq!(balance.completed, ids.len(), "{balance:?}");
    autoscaler.stop().await;
    system.stop().await;
}

/// Only RabbitMQ sees it stop: it misses its heartbeats.
#[tokio::test]
async fn recovery_from_a_suspended_worker_on_a_rabbitmq_lane() {
    let heartbeat = Config::default().rabbitmq.heartbeat.as_secs();
    let settings = Servers::shared().settings().with(&format!("rabbitmq.heartbeat = \"{heartbeat}s\""));
    let mut system = System::apart(1, settings).await;
    let id = system.api.enqueue(task("P4", json!({"hold": "suspended"}))).await;
    system.ledger.happened(id, Event::Start, 1).await;
    system.workers[0].signal("STOP");
    let stopped = Instant::now();
    system.add_worker().await;
    system.ledger.happened(id, Event::Start, 2).await;
    let took = stopped.elapsed();
    println!("recovery: SIGSTOP of a worker (unsupervised, RabbitMQ) to the task's next start: {took:?}");
    // Two to three of the default heartbeats of 2 s, and something for a busy machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
    system.ledger.open("suspended");
    let record = system.api.finished(id).await;
    assert_eq!((record.state, record.crashes), (State::Completed, 1), "{record:?}");
    system.workers[0].signal("CONT");
    system.stop().await;
}
