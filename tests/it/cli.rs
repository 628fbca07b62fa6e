//! The operator's commands against a real server.

use clawpool_core::task::TaskId;
use serde_json::{Value, json};

use crate::support::{Cli, Event, Process, Said, Settings, System, task, until};

const UNREACHABLE: &str = "http://127.0.0.1:1";

fn id(value: &Value) -> TaskId {
    serde_json::from_value(value["id"].clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

#[tokio::test]
async fn enqueue_one_explain_and_wait() {
    let system = System::embedded(1, Settings::quick()).await;
    let cli = system.cli();
    let printed: TaskId = cli.ok(&["enqueue", "it.work", "{}"]).await.trim().parse().unwrap();
    assert_eq!(cli.json(&["tasks", "wait", &printed.to_string()]).await["state"], "completed");
    let waited =
        cli.json(&["enqueue", "it.work", r#"{"note":"hi"}"#, "--priority", "P0", "--wait", "30s"]).await;
    assert_eq!(
        (&waited["state"], &waited["result"]["note"]),
        (&json!("completed"), &json!("hi")),
        "{waited}"
    );
    let from_stdin = cli.fed(&["enqueue", "it.work", "-", "--wait", "30s"], r#"{"note":"piped"}"#).await;
    assert!(from_stdin.code == Some(0) && from_stdin.out.contains("piped"), "{from_stdin:?}");

    let explained = cli.json(&["enqueue", "voice.call", "--explain"]).await;
    assert_eq!(explained["priority"], "P0", "{explained}");
    assert_eq!(explained["rule"], 0, "the first rule of the default table: {explained}");
    assert_eq!(system.ledger.entries().len(), 6, "explaining adds nothing");

    let refused = cli.run(&["enqueue", "it.work", "{", "--json"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let refused = cli.run(&["enqueue", "", "{}"]).await;
    assert!(refused.code == Some(1) && refused.err.contains("kind"), "{refused:?}");
    system.stop().await;
}

#[tokio::test]
async fn enqueue_a_file_with_bad_lines() {
    let system = System::embedded(1, Settings::quick()).await;
    let lines = [
        r#"{"kind":"it.work","payload":{}}"#,
        "not JSON",
        "",
        r#"{"kind":"it.work","priority":"P9"}"#,
        r#"{"kind":"it.work","payload":{},"priority":"P1"}"#,
    ];
    let path = system.folder.path().join("tasks.jsonl");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let said = system.cli().run(&["enqueue", "--file", path.to_str().unwrap(), "--json"]).await;
    assert_eq!(said.code, Some(1), "a refused line is no success: {said:?}");
    let summary: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&summary["accepted"], &summary["refused"]), (&json!(2), &json!(2)), "{said:?}");
    assert!(said.err.contains('2') && said.err.contains('4'), "the lines are named: {said:?}");
    system
        .ledger
        .until("both good ones", |entries| entries.iter().filter(|e| e.event == Event::Done).count() == 2)
        .await;
    system.stop().await;
}

#[tokio::test]
async fn look_at_tasks_and_cancel_them() {
    let system = System::embedded(1, Settings::quick()).await;
    let cli = system.cli();
    let running = system.api.enqueue(task("P1", json!({"hold": "for ever"}))).await;
    let waiting = id(&cli.json(&["enqueue", "it.work", "--delay", "1h", "--tenant", "acme"]).await);
    system.ledger.happened(running, Event::Start, 1).await;
    let listed = cli.json(&["tasks", "list", "--state", "scheduled", "--tenant", "acme"]).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(id(&listed["items"][0]), waiting);
    let table = cli.ok(&["tasks", "list", "--kind", "it.*"]).await;
    assert!(
        table.starts_with("ID") && table.contains(&running.to_string()) && table.contains("running"),
        "{table}"
    );
    let shown = cli.ok(&["tasks", "show", &waiting.to_string()]).await;
    assert!(shown.contains("scheduled") && shown.contains("acme") && shown.contains("due"), "{shown}");

    let soon = cli.run(&["tasks", "wait", &running.to_string(), "--timeout", "50ms"]).await;
    assert_eq!(soon.code, Some(75), "{soon:?}");
    cli.ok(&["tasks", "cancel", &running.to_string(), &waiting.to_string()]).await;
    let ended = cli.run(&["tasks", "wait", &running.to_string()]).await;
    assert!(ended.code == Some(1) && ended.err.contains("cancelled"), "{ended:?}");
    let unknown = cli.run(&["tasks", "show", &TaskId::new().to_string()]).await;
    assert!(unknown.code == Some(1) && unknown.err.contains("CP-"), "{unknown:?}");
    system.stop().await;
}

#[tokio::test]
async fn pause_and_resume_queues() {
    let system = System::embedded(1, Settings::quick()).await;
    let cli = system.cli();
    let paused = cli.json(&["queues", "pause", "normal.p4"]).await;
    assert_eq!(paused["paused"], true, "{paused}");
    // Workers learn of it with a heartbeat; one that began after the pause tells them.
    let beats = system.api.workers().await[0].beats;
    until("two beats", async || (system.api.workers().await[0].beats >= beats + 2).then_some(())).await;
    let held = system.api.enqueue(task("P4", json!({}))).await;
    let other = system.api.enqueue(task("P5", json!({}))).await;
    system.ledger.happened(other, Event::Done, 1).await;
    assert_eq!(system.ledger.times(held, Event::Start), 0);
    let queues = cli.json(&["queues"]).await;
    let p4 = queues["items"].as_array().unwrap().iter().find(|queue| queue["queue"] == "normal.p4").unwrap();
    assert_eq!((&p4["ready"], &p4["paused"]), (&json!(1), &json!(true)), "{queues}");
    assert!(cli.ok(&["queues"]).await.contains("paused"));
    cli.ok(&["queues", "resume", "normal.p4"]).await;
    system.ledger.happened(held, Event::Done, 1).await;
    let wrong = cli.run(&["queues", "pause", "normal.p9"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    system.stop().await;
}

#[tokio::test]
async fn judge_dead_letters() {
    let system = System::embedded(1, Settings::quick()).await;
    let cli = system.cli();
    let mut ids = Vec::new();
    for status in [400, 401, 400] {
        ids.push(system.api.enqueue(task("P3", json!({"status": status}))).await);
    }
    let odd = system.api.enqueue(json!({"kind": "unserved.kind", "ttl": "1s"})).await;
    for id in ids.iter().chain([&odd]) {
        assert_eq!(cli.run(&["tasks", "wait", &id.to_string()]).await.code, Some(1));
    }
    let count = async |args: &[&str]| cli.json(args).await["items"].as_array().unwrap().len();
    assert_eq!(count(&["dead", "list"]).await, 4);
    assert_eq!(count(&["dead", "list", "--kind", "it.*", "--reason", "fatal"]).await, 3);
    assert_eq!(count(&["dead", "list", "--reason", "poison"]).await, 0);
    assert_eq!(count(&["dead", "list", "--until", "1h"]).await, 0);
    let shown = cli.ok(&["dead", "show", &odd.to_string()]).await;
    assert!(shown.contains("a handler for \"unserved.kind\""), "{shown}");
    let shown = cli.json(&["dead", "show", &ids[0].to_string()]).await;
    assert_eq!(shown["task"]["errors"].as_array().unwrap().len(), 1, "{shown}");
    let exported = cli.ok(&["dead", "export", "--kind", "it.*"]).await;
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported.len(), 3, "{exported:?}");

    assert_eq!(cli.json(&["dead", "requeue", &ids[0].to_string()]).await["count"], 1);
    system.ledger.happened(ids[0], Event::Start, 2).await;
    until("the second death", async || (count(&["dead", "list"]).await == 4).then_some(())).await;
    assert_eq!(cli.run(&["dead", "discard", "--all"]).await.code, Some(2), "not without --yes");
    assert_eq!(cli.json(&["dead", "discard", "--kind", "unserved.*", "--yes"]).await["count"], 1);
    assert_eq!(cli.json(&["dead", "discard", &ids[1].to_string()]).await["count"], 1);
    assert_eq!(count(&["dead", "list"]).await, 2);
    let missing = cli.run(&["dead", "requeue", &ids[1].to_string()]).await;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    system.stop().await;
}

#[tokio::test]
async fn list_workers_and_send_one_home() {
    let system = System::embedded(2, Settings::quick()).await;
    let cli = system.cli();
    let listed = cli.json(&["workers", "list"]).await;
    let worker = listed["items"][0]["worker"].as_str().unwrap().to_owned();
    assert!(cli.ok(&["workers", "list"]).await.contains("working"));
    cli.ok(&["workers", "drain", &worker]).await;
    until("its replacement", async || {
        let workers = system.api.workers().await;
        (workers.len() == 2 && workers.iter().all(|info| info.beat.worker.to_string() != worker))
            .then_some(())
    })
    .await;
    let unknown = cli.run(&["workers", "drain", &TaskId::new().to_string()]).await;
    assert!(unknown.code == Some(1), "{unknown:?}");
    system.stop().await;
}

#[tokio::test]
async fn every_mistake_of_a_configuration_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    std::fs::write(
        &path,
        "profil = \"cluster\"\n[worker]\nslots = 0\nlease = \"soon\"\n[limits]\ndepht = 3\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    for command in [&["config", "check"][..], &["up"], &["dispatcher"], &["worker"]] {
        let said = Cli::new(UNREACHABLE).run(&[command, &["--config", path]].concat()).await;
        assert_eq!(said.code, Some(78), "{command:?}: {said:?}");
        for part in ["profil", "profile", "worker.lease", "soon", "depht", "depth"] {
            assert!(
                said.err.contains(part) || said.out.contains(part),
                "{command:?}: no {part:?} in {said:?}"
            );
        }
    }
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/default.toml");
    let cli = Cli::new(UNREACHABLE);
    cli.ok(&["config", "check", "--config", good]).await;
    assert_eq!(cli.json(&["config", "dump", "--set", "worker.slots=7"]).await["worker"]["slots"], 7);
    assert_eq!(cli.json(&["config", "schema"]).await["type"], "object");
    assert!(cli.ok(&["explain", "CP-1201"]).await.contains("CP-1201"));
    assert_eq!(cli.run(&["explain", "CP-0000"]).await.code, Some(1));
}

#[tokio::test]
async fn without_a_server_the_exit_code_says_so() {
    let cli = Cli::new(UNREACHABLE);
    for command in [
        &["tasks", "list"][..],
        &["enqueue", "it.work"],
        &["queues"],
        &["dead", "list"],
        &["workers", "list"],
    ] {
        let said = cli.run(command).await;
        assert_eq!(said.code, Some(69), "{command:?}: {said:?}");
        assert!(said.err.contains(UNREACHABLE) && said.out.is_empty(), "{command:?}: {said:?}");
    }
}

/// `| head -1`: the reader leaves after the first line.
#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_leaves_early_is_no_error() {
    let system = System::embedded(1, Settings::quick()).await;
    let tasks = (0..500).map(|n| json!({"kind": "it.work", "delay": "1h", "tenant": format!("tenant {n}")}));
    system.api.enqueue_all(tasks.collect()).await;
    let script = "set -o pipefail; \"$CLAWPOOL\" tasks list --limit 500 | head -1";
    let mut command = tokio::process::Command::new("bash");
    command
        .args(["-c", script])
        .env("CLAWPOOL", env!("CARGO_BIN_EXE_clawpool"))
        .env("CLAWPOOL_URL", &system.api.url);
    let mut shell = Process::start("head", command);
    assert!(shell.ended().await.success(), "a closed pipe must end the command in silence");
    assert!(shell.line(&["ID"]).await.starts_with("ID"));
    assert!(!shell.said("panicked") && !shell.said("Broken pipe"));
    system.stop().await;
}

/// What went wrong with `--json`: one line of standard error.
fn error(said: &Said) -> Value {
    assert_eq!(said.out, "", "{said:?}");
    let line = said.err.lines().last().unwrap_or_default();
    let told: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert!(told["error"]["message"].as_str().is_some_and(|message| message.len() > 5), "{said:?}");
    told["error"].clone()
}

#[tokio::test]
async fn a_failure_in_json_has_a_code_a_message_and_a_field() {
    let system = System::embedded(1, Settings::quick()).await;
    let cli = system.cli();
    let unknown = TaskId::new().to_string();
    for (args, code, exit, field) in [
        (&["enqueue", "", "{}"][..], "CP-1101", 1, json!("kind")),
        (&["tasks", "show", &unknown], "CP-1406", 1, Value::Null),
        (&["enqueue", "it.work", "{"], "CP-1801", 2, Value::Null),
        (&["tasks", "show", "no-id"], "CP-1801", 2, json!("<ID>")),
        (&["enqueue", "it.work", "--delay", "soon"], "CP-1801", 2, json!("--delay")),
        (&["no-such-command"], "CP-1801", 2, Value::Null),
        (&["queues", "--url", UNREACHABLE], "CP-1802", 69, Value::Null),
        (&["explain", "CP-0000"], "CP-1804", 1, Value::Null),
        (&["config", "check", "--set", "limits.batch=0"], "CP-1806", 78, Value::Null),
    ] {
        let said = cli.run(&[args, &["--json"]].concat()).await;
        let error = error(&said);
        assert_eq!((said.code, &error["code"]), (Some(exit), &json!(code)), "{args:?}: {said:?}");
        assert_eq!(error["field"], field, "{args:?}: {said:?}");
    }
    let said = cli.run(&["config", "check", "--set", "limits.batch=0", "--json"]).await;
    assert_eq!(error(&said)["faults"][0]["key"], "limits.batch", "{said:?}");
    let help = cli.run(&["queues", "--help", "--json"]).await;
    assert!(help.code == Some(0) && help.out.contains("Usage"), "help is no failure: {help:?}");
    system.stop().await;
}

#[tokio::test]
async fn an_id_of_another_task_is_told_by_its_code() {
    let system = System::embedded(1, Settings::quick()).await;
    let id = TaskId::new().to_string();
    let cli = system.cli();
    let first = cli.json(&["enqueue", "it.work", r#"{"n":1}"#, "--id", &id]).await;
    let again = cli.json(&["enqueue", "it.work", r#"{"n":1}"#, "--id", &id]).await;
    assert_eq!((&first["duplicate"], &again["duplicate"]), (&json!(false), &json!(true)));
    let said = cli.run(&["enqueue", "it.work", r#"{"n":2}"#, "--id", &id, "--json"]).await;
    assert_eq!((said.code, &error(&said)["code"]), (Some(1), &json!("CP-1130")), "{said:?}");
    system.stop().await;
}
