//! Tasks that no worker serves: they wait without an attempt for one that does, expire by their own time to
//! live, and people are told.

use std::path::PathBuf;

use clawpool_core::task::{DeadReason, State, TaskId};
use serde_json::{Value, json};

use crate::support::{Servers, Settings, System, in_time, until};

async fn embedded(settings: Settings) -> System {
    let folder = tempfile::tempdir().unwrap().keep();
    let data = toml::Value::from(folder.display().to_string());
    System::apart(0, settings.with(&format!("embedded.data = {data}"))).await
}

/// The same configuration, and one handler more.
fn with_handler(system: &System, kind: &str) -> PathBuf {
    let text = std::fs::read_to_string(&system.config).unwrap();
    let handler = format!("\n[[handlers]]\nkind = {kind:?}\nexec.command = [\"sh\", \"-c\", \"echo 1\"]\n");
    let path = system.folder.path().join(format!("{kind}.toml"));
    std::fs::write(&path, text + &handler).unwrap();
    path
}

async fn add_worker_for(system: &mut System, kind: &str) {
    let config = with_handler(system, kind);
    system.add_worker_with(&[("CLAWPOOL_CONFIG", config.to_str().unwrap())]).await;
}

async fn enqueue(system: &System, kind: &str, priority: &str) -> TaskId {
    system.api.enqueue(json!({"kind": kind, "priority": priority})).await
}

#[tokio::test]
async fn a_task_without_a_handler_waits_for_one_embedded() {
    waits(embedded(Settings::quick()).await).await;
}

#[tokio::test]
async fn a_task_without_a_handler_waits_for_one_cluster() {
    waits(System::apart(0, Servers::shared().settings()).await).await;
}

/// A rolling deployment: the producers are new, and only old workers are there yet. Then one new worker
/// beside the old one.
async fn waits(mut system: System) {
    system.add_worker().await;
    let mut ids = Vec::new();
    for priority in ["P0", "P2", "P4"] {
        for _ in 0..5 {
            ids.push(enqueue(&system, "late.kind", priority).await);
        }
    }
    // Every queue's tasks have come to the old worker.
    until("a worker that says what it cannot run", async || {
        let queues: Value = system.api.get("v1/queues").await;
        let told = |name: &str| {
            let queue =
                queues["items"].as_array().unwrap().iter().find(|queue| queue["queue"] == name).unwrap();
            queue["unhandled"] == json!(["late.kind"])
        };
        ["critical.p0", "high.p2", "normal.p4"].into_iter().all(told).then_some(())
    })
    .await;
    for id in &ids {
        let record = system.api.task(*id).await;
        // The old worker takes it now and then, and hands it on at once.
        let waits = matches!(record.state, State::Queued | State::Running);
        assert!(waits && record.attempt == 0, "{record:?}");
    }
    add_worker_for(&mut system, "late.kind").await;
    for id in ids {
        let record = system.api.finished(id).await;
        assert_eq!((record.state, record.attempt, record.crashes), (State::Completed, 0, 0), "{record:?}");
    }
    system.stop().await;
}

#[tokio::test]
async fn two_programs_share_a_queue_and_each_task_finds_its_own() {
    let mut system = embedded(Settings::quick()).await;
    add_worker_for(&mut system, "left").await;
    add_worker_for(&mut system, "right").await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(enqueue(&system, if number % 2 == 0 { "left" } else { "right" }, "P4").await);
    }
    for id in ids {
        let record = system.api.finished(id).await;
        assert_eq!((record.state, record.attempt), (State::Completed, 0), "{record:?}");
    }
    system.stop().await;
}

#[tokio::test]
async fn a_task_that_finds_no_handler_expires() {
    let mut system = embedded(Settings::quick()).await;
    system.add_worker().await;
    let id = system.api.enqueue(json!({"kind": "tpyo", "ttl": "2s"})).await;
    let record = system.api.finished(id).await;
    assert_eq!((record.state, record.attempt), (State::Dead, 0), "{record:?}");
    let letter = system.api.letter(id).await.letter;
    assert_eq!(letter.reason, DeadReason::Expired, "{letter:?}");
    system.stop().await;
}

#[tokio::test]
async fn tasks_that_no_worker_serves_are_told_of() {
    let mut system = embedded(Settings::quick().with("worker.queues = [\"normal.p4\"]")).await;
    system.add_worker().await;
    let cli = system.cli();
    let said = cli.run(&["enqueue", "it.work", "{}", "--priority", "P2"]).await;
    assert!(said.code == Some(0) && said.err.contains("no live worker serves high.p2"), "{said:?}");
    let said = cli.run(&["enqueue", "it_work", "{}"]).await;
    assert!(said.code == Some(0) && said.err.contains("has a handler for \"it_work\""), "{said:?}");
    let lines = "{\"kind\":\"it_work\"}\n{\"kind\":\"it_work\"}";
    let said = cli.fed(&["enqueue", "--file", "-"], lines).await;
    assert_eq!(said.err.matches("has a handler for \"it_work\"").count(), 1, "{said:?}");
    let fate = cli.ok(&["enqueue", "it_work", "--explain"]).await;
    assert!(fate.contains("has a handler for \"it_work\""), "{fate}");
    let (_, answer) = system.api.post("v1/tasks", &json!({"kind": "it.work"})).await;
    assert!(answer.get("warnings").is_none(), "{answer}");
    until("the queues' remarks", async || {
        let queues = cli.ok(&["queues"]).await;
        let line = |name: &str| queues.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        (line("high.p2").contains("no worker") && line("normal.p4").contains("no handler for it_work"))
            .then_some(())
    })
    .await;
    in_time("the alerts", async {
        until("alerts of both", async || {
            let alerts = cli.json(&["alerts"]).await;
            let events =
                |event: &str| alerts["items"].as_array().unwrap().iter().any(|alert| alert["event"] == event);
            (events("unserved") && events("no_handler")).then_some(())
        })
        .await;
    })
    .await;
    system.stop().await;
}

#[tokio::test]
async fn a_check_of_the_configuration_tells_of_queues_and_kinds_that_no_pool_serves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.toml");
    let text = "[[rules]]\nkinds = [\"shop.*\", \"mine\"]\npriority = \"P1\"\n\
                [[handlers]]\nkind = \"mine\"\nexec.command = [\"true\"]\n\
                [[pools]]\nname = \"main\"\nqueues = [\"P0\", \"P1\", \"P2\", \"P4\"]\n";
    std::fs::write(&path, text).unwrap();
    let said = crate::support::Cli::new("http://127.0.0.1:1")
        .run(&["config", "check", "--config", path.to_str().unwrap()])
        .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let kind = "no handler of this configuration runs \"shop.*\"";
    for told in ["serves high.p3", "serves normal.p5", "serves background", kind] {
        assert!(said.err.contains(told), "{told}: {said:?}");
    }
    assert!(!said.err.contains("\"mine\"") && !said.err.contains("serves high.p2"), "{said:?}");
}
