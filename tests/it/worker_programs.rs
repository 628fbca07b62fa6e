//! What a killed or stopped worker's programs come to, when no supervisor keeps the worker.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe::{OpenOptions, Receiver},
};

use crate::support::{Settings, System, in_time, signal};

/// Three processes that hold `PIPE` open: the program, a child of it, and one in a session of its own. All
/// ignore SIGTERM.
const TREE: &str =
    "trap '' TERM HUP; exec 3>\"$PIPE\"; setsid sh -c 'echo up >&3; sleep 1000' & sh -c 'sleep 1000; :'; :";

struct Tree {
    system: System,
    /// Reads nothing any more when all processes are gone.
    pipe: Receiver,
    _folder: TempDir,
}

impl Tree {
    /// A lone worker on an embedded pool, with one task that runs the processes.
    async fn start() -> Self {
        let folder = TempDir::with_prefix("clawpool-it-").unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut pipe = OpenOptions::new().open_receiver(&path).unwrap();
        let system = System::apart(1, settings(folder.path(), &path)).await;
        system.api.enqueue(json!({"kind": "tree.grow", "max_attempts": 1})).await;
        let mut up = [0; 3];
        in_time("the processes", pipe.read_exact(&mut up)).await.unwrap();
        Self { system, pipe, _folder: folder }
    }

    /// How long it takes until every process is gone.
    async fn gone(&mut self) -> Duration {
        let since = Instant::now();
        in_time("the end of every process", self.pipe.read_to_end(&mut Vec::new())).await.unwrap();
        since.elapsed()
    }

    fn signal(&self, name: &str) {
        signal(self.system.workers[0].pid(), name);
    }

    /// Without its worker, which is dead.
    async fn stop(mut self) {
        self.system.workers.clear();
        self.system.stop().await;
    }
}

fn settings(folder: &Path, pipe: &Path) -> Settings {
    let quoted = |path: &Path| toml::Value::from(path.display().to_string());
    let command = toml::Value::from(vec!["sh", "-c", TREE]);
    let data = quoted(&folder.join("data"));
    let pipe = quoted(pipe);
    Settings::quick().with(&format!("embedded.data = {data}")).with(&format!(
        "[[handlers]]\nkind = \"tree.*\"\nexec = {{ command = {command}, env = {{ PIPE = {pipe} }} }}"
    ))
}

#[tokio::test]
async fn a_killed_lone_workers_programs_end_within_a_second() {
    for name in ["KILL", "ABRT", "QUIT"] {
        let mut tree = Tree::start().await;
        tree.signal(name);
        let took = tree.gone().await;
        println!("recovery: a lone worker ended by SIG{name} to the end of all its programs: {took:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        tree.stop().await;
    }
}

#[tokio::test]
async fn a_stopped_lone_workers_programs_end_before_others_run_its_tasks() {
    let mut tree = Tree::start().await;
    tree.signal("STOP");
    let took = tree.gone().await;
    println!("recovery: a lone worker stopped by SIGSTOP to the end of all its programs: {took:?}");
    tree.signal("KILL");
    tree.stop().await;
}
