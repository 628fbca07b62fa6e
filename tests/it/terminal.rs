//! What handlers and payloads bring along is shown and steers no terminal, and stays what it was where it is
//! data.

use std::path::Path;

use clawpool_core::task::TaskId;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Api, Cli, Process, Settings, until};

/// A line break and a false line, colour, C1 controls, a bell, marks that turn the direction of text, a line
/// separator.
const HOSTILE: &str = "first\n2026-01-01T00:00:00.000000Z  INFO \
    forged\r\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\u{85}\u{202e}turned\u{2066}\u{2028}\u{7f}end";

fn steers(letter: char) -> bool {
    letter != '\n' && letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn assert_tame(what: &str, text: &str) {
    assert!(!text.chars().any(steers), "{what}: {text:?}");
}

/// `clawpool up` with logs for people, whose tasks `bad` fail with `HOSTILE`.
fn up(folder: &Path, more: &str) -> Process {
    std::fs::write(folder.join("words"), HOSTILE).unwrap();
    let data = toml::Value::from(folder.join("data").display().to_string());
    let words = folder.join("words").display().to_string();
    let settings = Settings::quick()
        .with(&format!("log.format = \"pretty\"\nembedded.data = {data}\n{more}"))
        .shell("bad", &format!("cat '{words}' >&2; exit 64"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawpool"));
    command.env("CLAWPOOL_CONFIG", settings.write(folder)).args(["up", "--workers=1"]);
    Process::start("clawpool up", command)
}

fn address(line: &str) -> String {
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    format!("http://{}", address.trim_matches('"'))
}

async fn fail(api: &Api) -> TaskId {
    let id = api.enqueue(json!({"kind": "bad", "tenant": "a\u{202e}b", "payload": {"text": HOSTILE}})).await;
    api.finished(id).await;
    id
}

#[tokio::test]
async fn nothing_steers_a_redirected_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = up(folder.path(), "");
    let api = Api::new(address(&up.line(&["serving HTTP"]).await));
    fail(&api).await;
    let line = up.line(&["dead-lettered"]).await;
    assert!(line.contains("forged") && line.contains("end"), "one line: {line:?}");
    assert_tame("the log", &line);
    up.stop().await;
}

/// Workers are programs of the users', and write what they like.
#[tokio::test]
async fn a_workers_own_colours_do_not_reach_a_redirected_log() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "printf '\\033[31mred\\033[0m \\302\\2332J \\342\\200\\256turned\\n' >&2; exec \"$0\" worker";
    let pool = Settings::quick().workers(1, &["sh", "-c", script, env!("CARGO_BIN_EXE_clawpool")]);
    let data = toml::Value::from(folder.path().join("data").display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawpool"));
    command
        .env("CLAWPOOL_CONFIG", pool.with(&format!("embedded.data = {data}")).write(folder.path()))
        .arg("up");
    let mut up = Process::start("clawpool up", command);
    assert_tame("a worker's line", &up.line(&["red", "turned"]).await);
    up.line(&["the worker is ready"]).await;
    up.stop().await;
}

#[tokio::test]
async fn nothing_steers_a_log_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("logs/pool.log");
    let mut up = up(folder.path(), &format!("log.file = {}", toml::Value::from(log.display().to_string())));
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    let serving = until("the address", async || {
        text()
            .lines()
            .find(|line| line.contains("serving HTTP") && line.contains("address="))
            .map(str::to_owned)
    })
    .await;
    fail(&Api::new(address(&serving))).await;
    let line = until("the failure", async || {
        text().lines().find(|line| line.contains("dead-lettered")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("forged") && line.contains("end"), "one line: {line:?}");
    up.stop().await;
    assert_tame("the log file", &text());
}

#[tokio::test]
async fn nothing_steers_the_terminal_of_who_looks_at_dead_letters() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = up(folder.path(), "");
    let api = Api::new(address(&up.line(&["serving HTTP"]).await));
    let id = fail(&api).await.to_string();
    let cli = Cli::new(&api.url);
    let looks: [&[&str]; 9] = [
        &["dead", "show", &id],
        &["dead", "list"],
        &["dead", "export"],
        &["dead", "show", &id, "--json"],
        &["dead", "list", "--json"],
        &["tasks", "show", &id],
        &["tasks", "show", &id, "--json"],
        &["tasks", "list"],
        &["tasks", "wait", &id],
    ];
    for look in looks {
        let said = cli.run(look).await;
        assert_tame(&format!("{look:?}"), &said.out);
        assert_tame(&format!("{look:?}"), &said.err);
    }
    // The export is data: every character comes back out of it.
    let export: Value = serde_json::from_str(cli.ok(&["dead", "export"]).await.trim()).unwrap();
    assert_eq!(export["task"]["payload"]["text"], HOSTILE, "{export}");
    assert_eq!(export["tenant"], "a\u{202e}b");
    // A table has a line for each letter and one for its header.
    assert_eq!(cli.ok(&["dead", "list"]).await.lines().count(), 2);
    up.stop().await;
}
