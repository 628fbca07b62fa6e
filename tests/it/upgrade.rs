//! What the version before left behind when it was killed is taken over: its SQLite file, its keys in Redis
//! and its queues in RabbitMQ, recorded in `upgrade/`.

mod recorded;

use clawpool_backends::store::{Page, Record};
use clawpool_core::task::{State, TaskId};
use serde_json::{Value, json};

use self::recorded::Tasks;
use crate::support::{Event, Servers, Settings, System, balance};

#[tokio::test]
async fn inv_1_an_upgrade_takes_over_the_file_of_the_version_before() {
    let tasks = recorded::embedded();
    let pool = "[[pools]]\nname = \"kept\"\nmin = 1\nmax = 3";
    let system =
        System::embedded_on(&recorded::database(), Settings::quick().with(patient()).with(pool)).await;
    let autoscaler: Value = system.api.get("v1/autoscaler").await;
    assert_eq!(autoscaler["items"][0]["manual"]["size"], 1, "the size that was held: {autoscaler}");
    takes_over(&system, &tasks).await;
    system.stop().await;
}

#[tokio::test]
async fn inv_1_an_upgrade_takes_over_redis_and_rabbitmq_of_the_version_before() {
    let servers = Servers::shared();
    let tasks = recorded::cluster(&servers).await;
    let system = System::apart(1, servers.settings().with(patient())).await;
    done_once(&system, &tasks.named("at the AMQP entrance")).await;
    takes_over(&system, &tasks).await;
    system.stop().await;
}

/// The age of a dead letter is judged by the settings of who reads it.
fn patient() -> &'static str {
    "results.dead = \"90years\""
}

/// Every task that was ever accepted ends as it should, and none is done twice.
async fn takes_over(system: &System, tasks: &Tasks) {
    for start in ["waiting", "running", "due"] {
        done_once(system, &tasks.named(start)).await;
    }
    keeps_unique_keys(system, tasks).await;
    stays_paused(system, tasks).await;
    runs_later(system, tasks).await;
    frees_unique_keys(system).await;
    requeues(system, tasks).await;
    remembers(system, tasks).await;
    reads_everything(system).await;
    let done = tasks.all().into_iter().filter(|id| *id != tasks.one("completed")).collect::<Vec<_>>();
    let balance = balance(&system.api, &system.ledger, &done, 0).await;
    assert_eq!(balance.completed, done.len(), "{balance:?}");
}

/// By the ledger's word as well as by the pool's.
async fn done_once(system: &System, ids: &[TaskId]) {
    for id in ids {
        let record = system.api.finished(*id).await;
        assert_eq!(record.state, State::Completed, "{record:?}");
        let times = [Event::Start, Event::Done].map(|event| system.ledger.times(*id, event));
        assert_eq!(times, [1, 1], "starts and ends of {record:?}");
    }
}

/// Who has a unique key, and another task with the same.
fn keyed() -> [(&'static str, Value); 3] {
    let task = |key: &str| json!({"kind": "it.work", "priority": "P4", "payload": {}, "unique_key": key});
    let mut of_a_tenant = task("only one of acme");
    of_a_tenant["tenant"] = "acme".into();
    [
        ("paused, unique", task("only one")),
        ("paused, unique, of a tenant", of_a_tenant),
        ("delayed, unique", task("later")),
    ]
}

async fn keeps_unique_keys(system: &System, tasks: &Tasks) {
    for (name, task) in keyed() {
        let (_, answer) = system.api.post("v1/tasks", &task).await;
        let holder = tasks.one(name).to_string();
        assert_eq!(
            (answer["id"].as_str(), &answer["duplicate"]),
            (Some(&*holder), &json!(true)),
            "{name}: {answer}"
        );
    }
}

/// Once their tasks are done.
async fn frees_unique_keys(system: &System) {
    for (name, task) in keyed() {
        let (_, answer) = system.api.post("v1/tasks", &task).await;
        assert_eq!(answer["duplicate"], false, "{name}: {answer}");
    }
}

async fn stays_paused(system: &System, tasks: &Tasks) {
    let paused = tasks.named("paused");
    let queues: Page<Value> = system.api.get("v1/queues").await;
    let is_paused = |queue: &&Value| queue["paused"] == true;
    let names: Vec<_> = queues.items.iter().filter(is_paused).map(|queue| &queue["queue"]).collect();
    assert_eq!(names, ["background"]);
    for id in &paused {
        assert_eq!(system.api.task(*id).await.state, State::Queued);
        assert_eq!(system.ledger.times(*id, Event::Start), 0);
    }
    system.api.post("v1/queues/background/resume", &json!({})).await;
    done_once(system, &paused).await;
}

/// Delayed tasks and those that wait for another attempt, some in eighty years.
async fn runs_later(system: &System, tasks: &Tasks) {
    let later = [tasks.named("delayed"), tasks.named("retry")].concat();
    for id in &later {
        assert_eq!(system.api.task(*id).await.state, State::Scheduled);
        let (status, answer) = system.api.post(&format!("v1/tasks/{id}/run"), &json!({})).await;
        assert!(status.is_success(), "{status} {answer}");
    }
    done_once(system, &later).await;
    assert_eq!(system.ledger.attempts(tasks.one("retry")), [2]);
}

async fn requeues(system: &System, tasks: &Tasks) {
    let dead = tasks.named("dead");
    let page: Page<Value> = system.api.get("v1/dead").await;
    let mut listed: Vec<TaskId> = page.items.iter().map(|letter| parsed(&letter["id"])).collect();
    let mut expected = dead.clone();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected, "{:?}", page.items);
    for id in &dead {
        assert!(!system.api.letter(*id).await.task.unwrap().errors.is_empty());
    }
    let (_, counts) = system.api.post("v1/dead/requeue", &json!({ "ids": dead })).await;
    assert_eq!(counts["count"], dead.len(), "{counts}");
    done_once(system, &dead).await;
}

/// A completed task is not done again, and its result is there.
async fn remembers(system: &System, tasks: &Tasks) {
    let id = tasks.one("completed");
    let record: Record = system.api.task(id).await;
    let result: Value = system.api.get(&format!("v1/tasks/{id}")).await;
    assert_eq!(
        (record.state, &result["result"]["by"]),
        (State::Completed, &json!("the version before")),
        "{result}"
    );
    assert_eq!(system.ledger.times(id, Event::Start), 0);
}

/// Nothing was told of as unreadable, or as lost.
async fn reads_everything(system: &System) {
    let alerts: Page<Value> = system.api.get("v1/alerts").await;
    assert!(alerts.items.is_empty(), "{:?}", alerts.items);
}

fn parsed(id: &Value) -> TaskId {
    serde_json::from_value(id.clone()).unwrap()
}
