//! What befalls a kept pool: leaks, hangs of all workers at once, a broker that is away, crashes, a leader
//! that stands still.

use clawpool_core::scaling::Action;
use serde_json::json;

use crate::{
    autoscaler::{BusyPool, at_work, history, pids, pool, size, status},
    support::{Event, Server, Servers, Settings, System, balance, signal, task, until},
};

/// Holds a quarter of a gigabyte, two processes below its worker, until it may go on.
const LEAK: &str = r#"
    cat >/dev/null
    head -c 268435456 /dev/zero | tail -c 268435456 | {
        while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done
        cat >/dev/null
    }
    echo '"done"'
"#;

#[tokio::test]
async fn inv_7_a_leak_is_stopped_by_max_memory_and_its_task_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let script = LEAK.replace("$FOLDER", &folder.path().display().to_string());
    let settings = Settings::quick().shell("leak", &script).with("worker.grace = \"120s\"").with(
        "[[pools]]\nname = \"it\"\nworkers = 1\nmax_memory = \"192 MiB\"\n[autoscale]\nevery = \"200ms\"",
    );
    let system = System::embedded(1, settings).await;
    let old = pids(&size(&system.api, 1).await);
    let id = system.api.enqueue(json!({"kind": "leak", "priority": "P4"})).await;
    system.front.line(&["leaves and is replaced: it takes", "max_memory is 192"]).await;
    until("the successor, and the one that drains", async || {
        let workers = system.api.workers().await;
        let drains = workers.iter().any(|worker| old.contains(&worker.beat.pid) && worker.beat.draining);
        let works = workers.iter().any(|worker| !old.contains(&worker.beat.pid) && worker.alive);
        (drains && works).then_some(())
    })
    .await;
    std::fs::write(folder.path().join("go"), "").unwrap();
    let record = system.api.finished(id).await;
    assert_eq!(
        (record.state, record.attempt, record.crashes),
        (clawpool_core::task::State::Completed, 0, 0),
        "{record:?}"
    );
    until("the old one to leave", async || {
        system.api.workers().await.iter().all(|worker| !old.contains(&worker.beat.pid)).then_some(())
    })
    .await;
    system.stop().await;
}

/// The workers' own leases are shorter than their supervisor's, so that the policy sees what the supervisor
/// would end later.
#[tokio::test]
async fn the_emergency_replaces_workers_that_all_hang_at_once() {
    let clawpool = env!("CARGO_BIN_EXE_clawpool");
    let command = toml::Value::from(vec![clawpool, "--set", "worker.lease=1s", "worker"]);
    let settings = Settings::quick().with(&format!(
        r#"
        [[pools]]
        name = "it"
        workers = 2
        command = {command}
        [autoscale]
        every = "200ms"
        policies = [{{ name = "emergency", metric = "healthy", below = 1, replace = true, cooldown = "0s" }}]
        "#
    ));
    let system = System::embedded(2, settings).await;
    let api = &system.api;
    let ledger = &system.ledger;
    let held = api.enqueue(task("P4", json!({"hold": "emergency"}))).await;
    ledger.happened(held, Event::Start, 1).await;
    // On a machine that stands still itself, the supervisor may be faster than the policy: then they hang
    // once more.
    let replaced = until("the emergency", async || {
        let old = size(api, 2).await;
        pids(&old).iter().for_each(|pid| signal(*pid, "STOP"));
        until("others in their place", async || {
            let now = pids(&at_work(api).await);
            (now.len() == 2 && now.is_disjoint(&pids(&old))).then_some(())
        })
        .await;
        history(api).await.into_iter().find(|entry| entry.change.decision.action == Action::ReplaceAll)
    })
    .await;
    let alert = replaced.change.decision.alert.unwrap();
    assert!(alert.contains("none of the pool's 2 workers is healthy"), "{alert}");
    ledger.happened(held, Event::Start, 2).await;
    ledger.open("emergency");
    assert_eq!(balance(api, ledger, &[held], 1).await.completed, 1);
    system.stop().await;
}

#[tokio::test]
async fn inv_7_the_pool_holds_its_size_while_the_broker_is_away_and_says_so() {
    let mut rabbitmq = Server::rabbitmq().await;
    let servers = Servers { rabbitmq: rabbitmq.url(), ..Servers::shared() };
    let pool = BusyPool::start(&servers).await;
    let api = &pool.system.api;
    // RabbitMQ remembers a quorum queue that was declared right before kill -9 some seconds later.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    rabbitmq.kill().await;
    let seen = until("the trouble in the status", async || {
        let status = status(api).await;
        status.trouble.as_ref().is_some_and(|trouble| trouble.contains("the broker")).then_some(status)
    })
    .await;
    assert_eq!((seen.current, seen.wanted), (3, 3), "{seen:?}");
    // Nothing is left to do, and still no worker leaves: the queues are not known.
    pool.system.ledger.open("outage");
    for id in &pool.tasks {
        pool.system.ledger.happened(*id, Event::Done, 1).await;
    }
    let looks = status(api).await.at;
    until("some looks later", async || (status(api).await.at.since(looks).as_secs() >= 5).then_some(()))
        .await;
    assert_eq!(pids(&at_work(api).await), pool.workers, "no worker left and none came");
    rabbitmq.restart().await;
    until("broker and store to answer again", async || status(api).await.trouble.is_none().then_some(()))
        .await;
    pool.end().await;
}

#[tokio::test]
async fn a_crash_is_seen_with_its_type_its_last_words_and_its_tasks() {
    let system = System::embedded(2, Settings::quick()).await;
    let held = system.api.enqueue(task("P4", json!({"hold": "crash"}))).await;
    system.ledger.happened(held, Event::Start, 1).await;
    let victim = system.api.runner(held).await;
    let worker =
        system.api.workers().await.into_iter().find(|worker| worker.beat.pid == victim).unwrap().beat.worker;
    // Rust's own runtime catches a SIGSEGV that another process sent; this one ends it.
    signal(victim, "ABRT");
    system.ledger.happened(held, Event::Start, 2).await;
    let cli = system.cli();
    let report = until("the report", async || {
        let page = cli.json(&["workers", "crashes"]).await;
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|report| report["worker"] == worker.to_string())
            .cloned()
    })
    .await;
    assert_eq!((&report["type"], &report["pid"]), (&json!("exception"), &json!(victim)), "{report}");
    assert_eq!(report["tasks"], json!([held.to_string()]), "{report}");
    let log = report["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line.as_str().unwrap().contains("the worker is ready")), "{report}");
    let shown = cli.ok(&["workers", "crashes", &worker.to_string()]).await;
    let parts = ["exception", "SIGABRT (6)", "the worker is ready", &held.to_string()];
    assert!(parts.iter().all(|part| shown.contains(part)), "{shown}");
    system.ledger.open("crash");
    assert_eq!(balance(&system.api, &system.ledger, &[held], 1).await.completed, 1);

    // One that hangs is told apart.
    let victim = &size(&system.api, 2).await[0];
    signal(victim.beat.pid, "STOP");
    let report = until("the hung one's report", async || {
        let page = cli.json(&["workers", "crashes"]).await;
        let hung = victim.beat.worker.to_string();
        page["items"].as_array().unwrap().iter().find(|report| report["worker"] == hung).cloned()
    })
    .await;
    assert_eq!(report["type"], "watchdog_timeout", "{report}");
    system.stop().await;
}

#[tokio::test]
async fn inv_7_a_suspended_leader_is_followed_by_another_and_nothing_is_started_twice() {
    let system = System::apart(0, pool(Servers::shared().settings(), 2, 3)).await;
    let mut first = system.autoscaler(&[]);
    let api = system.api.clone();
    let old = pids(&size(&api, 2).await);
    let leader = status(&api).await.by;
    let mut second = system.autoscaler(&[]);
    first.signal("STOP");
    // Its workers live on without it, and who leads next counts them.
    let looked = until("the second to lead", async || {
        assert!(at_work(&api).await.len() <= 2, "started twice");
        let status = status(&api).await;
        (status.by != leader).then_some(status)
    })
    .await;
    assert_eq!((looked.current, looked.wanted), (2, 2), "{looked:?}");
    assert_eq!(pids(&size(&api, 2).await), old, "no worker left and none came");
    first.signal("CONT");
    until("the first one's workers to make way", async || {
        let now = pids(&at_work(&api).await);
        assert!(now.len() <= 2, "started twice: {now:?}");
        (now.len() == 2 && now.is_disjoint(&old)).then_some(())
    })
    .await;
    assert!(status(&api).await.by != leader, "the second one leads");
    first.stop().await;
    second.stop().await;
    system.stop().await;
}
