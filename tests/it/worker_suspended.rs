//! A worker that stands still long enough to be taken for dead, and then wakes up.

use std::time::Instant;

use clawpool_core::task::{Payload, State};
use serde_json::json;

use crate::support::{Event, Servers, Settings, System, balance, signal, task, until};

/// The first worker's program waits until it is told to go on, and cannot be talked into ending; the second
/// one's ends at once. Both say who they are.
const SCRIPT: &str = r#"
    trap '' TERM
    cat >/dev/null
    echo started >>"$FOLDER/starts"
    if mkdir "$FOLDER/first" 2>/dev/null; then
        while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done
        echo '"zombie"'
    else
        echo '"successor"'
    fi
"#;

#[tokio::test]
async fn inv_2_recovery_from_a_suspended_worker_whose_late_outcome_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let script = SCRIPT.replace("$FOLDER", &folder.path().display().to_string());
    let settings = Servers::shared().settings().with("worker.stop_grace = \"60s\"").shell("script", &script);
    let mut system = System::apart(1, settings).await;
    let id = system.api.enqueue(json!({"kind": "script", "priority": "P1"})).await;
    let starts = || std::fs::read_to_string(folder.path().join("starts")).unwrap_or_default().lines().count();
    until("the first start", async || (starts() == 1).then_some(())).await;
    system.workers[0].signal("STOP");
    let stopped = Instant::now();
    system.add_worker().await;
    until("the second start", async || (starts() == 2).then_some(())).await;
    println!(
        "recovery: SIGSTOP of a worker (unsupervised, cluster) to the task's next start: {:?}",
        stopped.elapsed()
    );
    let record = system.api.finished(id).await;
    assert_eq!((record.state, record.crashes), (State::Completed, 1));

    std::fs::write(folder.path().join("go"), "").unwrap();
    system.workers[0].signal("CONT");
    system.workers[0].line(&["the outcome came too late", &id.to_string()]).await;
    let record = system.api.task(id).await;
    assert_eq!(
        record.result,
        Some(Payload::encode(&"successor").unwrap()),
        "INV-2: the zombie overwrote the result"
    );
    assert_eq!(starts(), 2);
    system.stop().await;
}

/// A supervisor ends what hangs, and starts another one.
#[tokio::test]
async fn inv_1_recovery_from_a_suspended_worker_embedded() {
    let system = System::embedded(2, Settings::quick()).await;
    let held = system.api.enqueue(task("P4", json!({"hold": "suspended"}))).await;
    system.ledger.happened(held, Event::Start, 1).await;
    let pid = system.api.runner(held).await;
    let stopped = Instant::now();
    signal(pid, "STOP");
    system.ledger.happened(held, Event::Start, 2).await;
    println!(
        "recovery: SIGSTOP of a worker (supervised, embedded) to the task's next start: {:?}",
        stopped.elapsed()
    );
    system.front.line(&["hung without a heartbeat for a lease and was killed"]).await;
    println!("recovery: … to its replacement: {:?}", stopped.elapsed());
    system.ledger.open("suspended");
    let balance = balance(&system.api, &system.ledger, &[held], 0).await;
    assert_eq!((balance.completed, balance.crashes), (1, 1), "{balance:?}");
    until("its replacement", async || {
        let workers = system.api.workers().await;
        (workers.len() == 2 && workers.iter().all(|worker| worker.alive && worker.beat.pid != pid))
            .then_some(())
    })
    .await;
    system.stop().await;
}
