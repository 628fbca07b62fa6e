//! The configuration is read again while `clawpool up` runs: by SIGHUP and by `clawpool config reload`.

use std::{fs, path::Path};

use clawpool_core::task::State;
use serde_json::json;

use crate::support::{Event, Settings, System, task, until};

/// Adds to the file that the system was started with.
fn change(config: &Path, toml: &str) {
    let text = fs::read_to_string(config).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    for (section, keys) in toml.parse::<toml::Table>().unwrap() {
        match (table.get_mut(&section), keys) {
            (Some(toml::Value::Table(known)), toml::Value::Table(keys)) => known.extend(keys),
            (_, keys) => drop(table.insert(section, keys)),
        }
    }
    fs::write(config, table.to_string()).unwrap();
}

async fn payload_limit(system: &System) -> u64 {
    let explained = system.cli().json(&["enqueue", "it.work", "--explain"]).await;
    explained["payload_limit"].as_u64().unwrap()
}

#[tokio::test]
async fn a_good_file_holds_at_once_and_a_bad_one_changes_nothing() {
    let system = System::embedded(1, Settings::quick()).await;
    let running = system.api.enqueue(task("P3", json!({"hold": "reload"}))).await;
    system.ledger.happened(running, Event::Start, 1).await;
    let cli = system.cli();
    change(&system.config, "limits.payload = 1000\napi.connections = 77");
    let view = cli.json(&["config", "reload"]).await;
    assert_eq!(view["applied"], json!(["limits.payload"]), "{view}");
    assert_eq!(view["restart"], json!(["api.connections"]), "{view}");
    assert_eq!(payload_limit(&system).await, 1000);

    change(&system.config, "limits.payload = 2000\nworker.slots = 0\nworker.reserved = 0\nlimits.batch = 0");
    let refused = cli.run(&["config", "reload"]).await;
    assert_eq!(refused.code, Some(78), "{refused:?}");
    for word in ["CP-1014", "worker.slots", "limits.batch"] {
        assert!(refused.err.contains(word), "{word}: {refused:?}");
    }
    assert_eq!(payload_limit(&system).await, 1000);

    system.ledger.open("reload");
    assert_eq!(system.api.finished(running).await.state, State::Completed, "a reload touches no task");
    assert_eq!(system.ledger.times(running, Event::Start), 1);
    system.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_reads_the_file_again() {
    let system = System::embedded(1, Settings::quick()).await;
    change(&system.config, "limits.payload = 1000");
    system.front.signal("HUP");
    let said = system.front.line(&["configuration was read again", "limits.payload"]).await;
    assert!(!system.front.said("finishing what runs"), "{said}");
    assert_eq!(payload_limit(&system).await, 1000);
    change(&system.config, "limits.payload = 2000\nworker.slots = 0");
    system.front.signal("HUP");
    system.front.line(&["CP-1014", "worker.slots"]).await;
    assert_eq!(payload_limit(&system).await, 1000);
    system.stop().await;
}

/// As logrotate does it: the file is moved away, then the signal comes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn logs_are_opened_anew_by_dispatcher_and_workers() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("pool.log");
    let file = toml::Value::from(log.display().to_string());
    let mut system = System::embedded_logging(1, Settings::quick().with(&format!("log.file = {file}"))).await;
    let worker = system.api.workers().await[0].beat.pid;
    let moved = folder.path().join("pool.log.1");
    fs::rename(&log, &moved).unwrap();
    system.front.signal("HUP");
    let opens = |path: &Path, pid: u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == path)
    };
    for pid in [system.front.pid(), worker] {
        until("the new log", async || (opens(&log, pid) && !opens(&moved, pid)).then_some(())).await;
    }
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("configuration was read again"), "{text}");
    system.front.stop().await;
}

#[tokio::test]
async fn pools_take_their_new_size_and_new_workers_the_new_settings() {
    let pool = "[[pools]]\nname = \"main\"\nworkers = 1\nslots = 3\nautoscale = { every = \"200ms\" }";
    let system = System::embedded(1, Settings::quick().with(pool)).await;
    let first = system.api.workers().await[0].beat.clone();
    assert_eq!(first.slots, 3);
    change(&system.config, &pool.replace("workers = 1", "workers = 2").replace("slots = 3", "slots = 4"));
    let view = system.cli().json(&["config", "reload"]).await;
    assert_eq!(view["applied"], json!(["pools[0].workers"]), "{view}");
    assert_eq!(view["new_workers"], json!(["pools[0].slots"]), "{view}");
    let slots = async || {
        let workers = system.api.workers().await;
        let alive = workers.iter().filter(|worker| worker.alive && !worker.beat.draining);
        let mut slots: Vec<u32> = alive.map(|worker| worker.beat.slots).collect();
        slots.sort_unstable();
        slots
    };
    until("a second worker, with the new slots", async || (slots().await == [3, 4]).then_some(())).await;
    assert!(
        system.api.workers().await.iter().any(|worker| worker.beat.worker == first.worker && worker.alive)
    );
    system.cli().ok(&["config", "reload", "--replace-workers"]).await;
    until("new workers alone", async || (slots().await == [4, 4]).then_some(())).await;
    system.stop().await;
}
