//! One task's whole story: what it is, every attempt, and what its program wrote, while it runs and after.

use clawpool_core::task::{State, TaskId};
use clawpool_engine::client::task::{AttemptOutcome, LogsView, TaskDetail};
use serde_json::{Value, json};

use crate::support::{Servers, Settings, System, until};

#[tokio::test]
async fn a_program_that_fails_and_then_succeeds_is_told_in_full_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    let settings = Settings::quick().shell("it_program", &script(&open));
    story(System::embedded(1, settings).await, &open).await;
}

/// Its messages are on RabbitMQ.
#[tokio::test]
async fn a_program_that_fails_and_then_succeeds_is_told_in_full_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    let settings = Servers::shared().settings().shell("it_program", &script(&open));
    story(System::apart(1, settings).await, &open).await;
}

/// Fails at first; the second time it waits for a file.
fn script(open: &std::path::Path) -> String {
    format!(
        "cat >/dev/null; echo \"attempt $CLAWPOOL_ATTEMPT\" >&2
         if [ $CLAWPOOL_ATTEMPT = 1 ]; then echo 'no user ada' >&2; exit 3; fi
         echo 'half'; echo 'waiting' >&2
         while [ ! -e '{}' ]; do sleep 0.05; done
         echo 'done'",
        open.display()
    )
}

async fn story(system: System, open: &std::path::Path) {
    let task = json!({
        "kind": "it_program", "payload": {"user": "ada"}, "session": "s-1", "meta": {"step": "3"},
        "priority": "P4",
    });
    let id = system.api.enqueue(task.clone()).await;
    let lines = until("the running attempt's log", async || {
        let lines = texts(&logs(&system, id, "").await);
        lines.contains(&(2, "waiting".to_owned())).then_some(lines)
    })
    .await;
    let of = |attempt, text: &str| (attempt, text.to_owned());
    assert_eq!(lines[..2], [of(1, "attempt 1"), of(1, "no user ada")]);
    assert!(lines[2..].contains(&of(2, "half")), "{lines:?}");
    let running = detail(&system, id).await;
    assert_eq!(running.record.state, State::Running);
    assert_told(&running, &task);
    assert_eq!(outcomes(&running), [AttemptOutcome::Retried, AttemptOutcome::Running]);

    std::fs::write(open, "").unwrap();
    assert_eq!(system.api.finished(id).await.state, State::Completed);
    let over = detail(&system, id).await;
    assert_told(&over, &task);
    assert_eq!(over.record.result.as_ref().unwrap().decode::<String>().unwrap(), "half\ndone");
    assert_eq!(outcomes(&over), [AttemptOutcome::Retried, AttemptOutcome::Completed]);
    let [failed, completed] = &over.story.attempts[..] else { panic!("{over:?}") };
    assert_eq!(failed.exit, Some(3));
    let error = failed.error.as_ref().unwrap();
    assert_eq!(error.stderr, ["no user ada", "attempt 1"], "the last line first");
    assert_eq!(error.message, "the program ended with exit code 3");
    for attempt in [failed, completed] {
        let told = (attempt.worker, attempt.worker_version.as_deref(), attempt.run_ms.is_some());
        assert_eq!(told, (running.record.worker, Some(env!("CARGO_PKG_VERSION")), true), "{attempt:?}");
    }
    until("the last line", async || {
        let last = texts(&logs(&system, id, "?attempt=2").await);
        last.contains(&(2, "done".to_owned())).then_some(())
    })
    .await;
    reads_well(&system, id).await;
    system.stop().await;
}

/// As an operator does.
async fn reads_well(system: &System, id: TaskId) {
    let id = id.to_string();
    let shown = system.cli().ok(&["tasks", "show", &id]).await;
    for words in ["step=3", "retried", "completed", "no user ada", "\"user\": \"ada\""] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let log = system.cli().ok(&["logs", &id, "--attempt", "1"]).await;
    assert!(log.contains("stderr  no user ada") && !log.contains("waiting"), "{log}");
    let json: Value =
        serde_json::from_str(&system.cli().ok(&["--json", "tasks", "show", &id]).await).unwrap();
    assert_eq!((&json["payload"]["user"], &json["attempts"][0]["exit"]), (&json!("ada"), &json!(3)));
}

async fn detail(system: &System, id: TaskId) -> TaskDetail {
    system.api.get(&format!("v1/tasks/{id}")).await
}

async fn logs(system: &System, id: TaskId, query: &str) -> LogsView {
    system.api.get(&format!("v1/tasks/{id}/logs{query}")).await
}

fn texts(logs: &LogsView) -> Vec<(u32, String)> {
    let of = |attempt: u32| move |text: String| (attempt, text);
    let lines = logs.items.iter().flat_map(|log| {
        log.lines.iter().map(|line| line.text.clone()).map(of(log.attempt)).collect::<Vec<_>>()
    });
    lines.collect()
}

fn outcomes(detail: &TaskDetail) -> Vec<AttemptOutcome> {
    detail.story.attempts.iter().map(|attempt| attempt.outcome).collect()
}

fn assert_told(detail: &TaskDetail, task: &Value) {
    let story = &detail.story;
    let payload: Value = story.payload.as_ref().unwrap_or_else(|| panic!("{detail:?}")).decode().unwrap();
    assert_eq!(payload, task["payload"]);
    assert_eq!((&json!(story.session), &json!(story.meta)), (&task["session"], &task["meta"]));
}
