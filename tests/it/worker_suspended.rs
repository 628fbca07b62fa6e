//! A worker that stands still long enough to be taken for dead, and then wakes up.

use clawpool::task::{Payload, State};
use serde_json::json;

use crate::support::{Servers, System, until};

/// The first worker's program waits until it is told to go on, and cannot be talked into ending; the second one's ends at
/// once. Both say who they are.
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
    let stopped = std::time::Instant::now();
    system.add_worker().await;
    until("the second start", async || (starts() == 2).then_some(())).await;
    println!("recovery: SIGSTOP of a worker (unsupervised, cluster) to the task's next start: {:?}", stopped.elapsed());
    let record = system.api.finished(id).await;
    assert_eq!((record.state, record.crashes), (State::Completed, 1));

    std::fs::write(folder.path().join("go"), "").unwrap();
    system.workers[0].signal("CONT");
    system.workers[0].line(&["the outcome came too late", &id.to_string()]).await;
    let record = system.api.task(id).await;
    assert_eq!(record.result, Some(Payload::encode(&"successor").unwrap()), "INV-2: the zombie overwrote the result");
    assert_eq!(starts(), 2);
    system.stop().await;
}
