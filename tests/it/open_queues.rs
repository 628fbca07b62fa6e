//! Queues of users' own, on every server: configured, made at run time, paused and removed.

use clawpool_core::task::{State, TaskId};
use serde_json::{Value, json};

use crate::support::{Servers, Settings, System, in_time, task, until};

const OWN: &str = "
[[queues]]
name = \"llm.calls\"
priority = \"P2\"

[[queues]]
name = \"shop.calls\"
priority = \"P3\"
lane = \"critical\"

[[rules]]
kinds = [\"it.*\"]
tenants = [\"acme\"]
queue = \"llm.calls\"

[[rules]]
kinds = [\"it.*\"]
tenants = [\"shop\"]
queue = \"shop.calls\"
";

async fn embedded(settings: Settings) -> System {
    let folder = tempfile::tempdir().unwrap().keep();
    let data = toml::Value::from(folder.display().to_string());
    System::apart(0, settings.with(&format!("embedded.data = {data}"))).await
}

async fn queue(system: &System, name: &str) -> Value {
    let queues: Value = system.api.get("v1/queues").await;
    let items = queues["items"].as_array().unwrap();
    items.iter().find(|item| item["queue"] == name).cloned().unwrap_or(Value::Null)
}

/// A task that the rules place.
fn of_tenant(tenant: &str) -> Value {
    let mut new = task("P4", json!({}));
    new.as_object_mut().unwrap().remove("priority");
    new["tenant"] = tenant.into();
    new
}

async fn completed(system: &System, ids: &[TaskId]) {
    for id in ids {
        assert_eq!(system.api.finished(*id).await.state, State::Completed);
    }
}

#[tokio::test]
async fn inv_1_tasks_of_ones_own_queues_run_embedded() {
    routed(embedded(Settings::quick().with(OWN)).await).await;
}

/// `llm.calls` on RabbitMQ, and `shop.calls` on Redis.
#[tokio::test]
async fn inv_1_tasks_of_ones_own_queues_run_cluster() {
    routed(System::apart(0, Servers::shared().settings().with(OWN)).await).await;
}

async fn routed(mut system: System) {
    let mut ids = Vec::new();
    for (tenant, name, priority) in [("acme", "llm.calls", "P2"), ("shop", "shop.calls", "P3")] {
        for _ in 0..20 {
            let (_, accepted) = system.api.post("v1/tasks", &of_tenant(tenant)).await;
            assert_eq!((&accepted["queue"], &accepted["priority"]), (&json!(name), &json!(priority)));
            ids.push(accepted["id"].as_str().unwrap().parse().unwrap());
        }
        assert_eq!(queue(&system, name).await["ready"], 20);
    }
    system.add_worker().await;
    completed(&system, &ids).await;
    let calls = queue(&system, "llm.calls").await;
    assert_eq!((&calls["completed"], &calls["ready"], &calls["workers"]), (&json!(20), &json!(0), &json!(1)));
    // A worker that is there already serves it as it does its own.
    let (_, accepted) = system.api.post("v1/tasks", &of_tenant("acme")).await;
    completed(&system, &[accepted["id"].as_str().unwrap().parse().unwrap()]).await;
    system.stop().await;
}

#[tokio::test]
async fn a_queue_is_made_used_and_removed_at_run_time_embedded() {
    made(embedded(Settings::quick()).await).await;
}

#[tokio::test]
async fn a_queue_is_made_used_and_removed_at_run_time_cluster() {
    made(System::apart(0, Servers::shared().settings()).await).await;
}

async fn made(mut system: System) {
    system.add_worker().await;
    let cli = system.cli();
    let unknown = cli.run(&["enqueue", "it.work", "{}", "--queue", "tenant.acme"]).await;
    assert!(unknown.code != Some(0) && unknown.err.contains("CP-1128"), "{unknown:?}");
    let made = cli.ok(&["queues", "add", "tenant.acme", "--priority", "P4"]).await;
    assert!(made.contains("1 workers serve it"), "{made}");
    cli.ok(&["queues", "add", "tenant.acme", "--priority", "P4"]).await;
    let other = cli.run(&["queues", "add", "tenant.acme", "--priority", "P1"]).await;
    assert!(other.code != Some(0) && other.err.contains("CP-1411"), "{other:?}");

    cli.ok(&["queues", "add", "tenant.moved", "--priority", "P5"]).await;
    cli.ok(&["queues", "pause", "tenant.*"]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let accepted = cli.json(&["enqueue", "it.work", "{}", "--queue", "tenant.acme"]).await;
        ids.push(accepted["id"].as_str().unwrap().parse().unwrap());
    }
    let refused = cli.run(&["queues", "remove", "tenant.acme"]).await;
    assert!(refused.code != Some(0) && refused.err.contains("CP-1412"), "{refused:?}");
    assert!(refused.err.contains("3 unfinished"), "{refused:?}");
    assert_eq!(queue(&system, "tenant.acme").await["ready"], 3, "none was dropped");

    // What waits on a paused queue runs once it is moved to another one.
    for _ in 0..2 {
        let accepted = cli.json(&["enqueue", "it.work", "{}", "--queue", "tenant.moved"]).await;
        ids.push(accepted["id"].as_str().unwrap().parse().unwrap());
    }
    let moved = cli.ok(&["queues", "remove", "tenant.moved", "--move-to", "normal.p5"]).await;
    assert!(moved.contains("removed"), "{moved}");
    completed(&system, &ids[3..]).await;

    let removed = async {
        let removed = cli.ok(&["queues", "remove", "tenant.acme", "--drain"]).await;
        assert!(removed.contains("removed"), "{removed}");
    };
    let drained = async {
        until("a queue that takes no new tasks", async || {
            (queue(&system, "tenant.acme").await["closing"] == true).then_some(())
        })
        .await;
        until("a refusal", async || {
            let late = cli.run(&["enqueue", "it.work", "{}", "--queue", "tenant.acme"]).await;
            late.err.contains("CP-1128").then_some(())
        })
        .await;
        cli.ok(&["queues", "resume", "tenant.acme"]).await;
    };
    in_time("the end of the queue", async { tokio::join!(removed, drained) }).await;
    completed(&system, &ids).await;
    let again = cli.run(&["queues", "remove", "tenant.acme"]).await;
    assert!(again.code != Some(0), "{again:?}");
    system.stop().await;
}

#[tokio::test]
async fn queues_that_cannot_be_are_refused() {
    let system = embedded(Settings::quick().with(OWN)).await;
    let cli = system.cli();
    for name in ["high", "P4", "critical.p0", "a*", "a:b", "{a}", "a b", "dead"] {
        let said = cli.run(&["queues", "add", name, "--priority", "P4"]).await;
        assert!(said.code != Some(0) && said.err.contains("CP-1402"), "{name}: {said:?}");
    }
    for name in ["a\nb", "a\0b"] {
        let (status, answer) = system.api.post("v1/queues", &json!({"name": name, "priority": "P4"})).await;
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!("CP-1402")), "{answer}");
    }
    let said = cli.run(&["queues", "remove", "llm.calls"]).await;
    assert!(said.code != Some(0) && said.err.contains("take it out of [[queues]]"), "{said:?}");
    let both = json!({"kind": "it.work", "queue": "llm.calls", "priority": "P2"});
    let (_, answer) = system.api.post("v1/tasks", &both).await;
    assert_eq!(answer["code"], "CP-1127", "{answer}");
    system.stop().await;
}
