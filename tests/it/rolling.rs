//! Processes of an earlier version and of this one share a pool while it is upgraded, one by one, under load.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use clawpool_core::task::TaskId;
use serde_json::json;
use tokio::{process::Command, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::support::{Api, Ledger, Process, Servers, balance, in_time, task, variable};

/// Load between two changes.
const PAUSE: Duration = Duration::from_secs(3);

/// One version's programs, on one configuration.
struct Version {
    program: PathBuf,
    config: PathBuf,
}

impl Version {
    fn command(&self, role: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env("CLAWPOOL_CONFIG", &self.config).arg(role);
        command
    }

    async fn dispatcher(&self, name: &str) -> (Process, Api) {
        let process = Process::start(name, self.command("dispatcher"));
        let line = in_time("the address", process.line(&["\"serving HTTP\""])).await;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let api = Api::new(format!("http://{}", line["address"].as_str().unwrap()));
        (process, api)
    }

    async fn worker(&self, name: &str) -> Process {
        let worker = Process::start(name, self.command("worker"));
        worker.line(&["the worker is ready"]).await;
        worker
    }
}

/// Who takes tasks now, and what was taken.
#[derive(Clone)]
struct Load {
    doors: Arc<Mutex<Vec<Api>>>,
    taken: Arc<Mutex<Vec<TaskId>>>,
}

impl Load {
    /// Tasks of every priority, some delayed, at whichever dispatcher is next.
    async fn run(self, stop: CancellationToken) {
        let mut number = 0_usize;
        while stop.run_until_cancelled(sleep(Duration::from_millis(60))).await.is_some() {
            for priority in ["P0", "P1", "P2", "P3", "P4", "P5", "P6"] {
                number += 1;
                let mut new = task(priority, json!({ "ms": 20 }));
                if number.is_multiple_of(9) {
                    new["delay"] = json!("2s");
                }
                let door = {
                    let doors = self.doors.lock().unwrap();
                    doors[number % doors.len()].url.clone()
                };
                let id = Api::new(door).enqueue(new).await;
                self.taken.lock().unwrap().push(id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the programs of an earlier version, which tests/rolling/run builds"]
async fn inv_1_a_rolling_restart_under_load_loses_nothing() {
    let earlier = PathBuf::from(variable("CLAWPOOL_EARLIER")).join("clawpool");
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::start().await;
    let settings = Servers::shared().settings().http("it.*", &ledger.url);
    let config = settings.write(folder.path());
    let old = Version { program: earlier, config: config.clone() };
    let new = Version { program: Path::new(env!("CARGO_BIN_EXE_clawpool")).to_owned(), config };

    let (mut old_door, old_api) = old.dispatcher("old dispatcher").await;
    let mut old_workers = [old.worker("old worker 0").await, old.worker("old worker 1").await];
    let doors = Arc::new(Mutex::new(vec![Api::new(old_api.url.clone())]));
    let load = Load { doors: Arc::clone(&doors), taken: Arc::default() };
    let stop = CancellationToken::new();
    let replace = async {
        sleep(PAUSE).await;

        let mut new_workers = vec![new.worker("new worker 0").await];
        sleep(PAUSE).await;
        old_workers[0].stop().await;
        sleep(PAUSE).await;
        let (new_door, api) = new.dispatcher("new dispatcher").await;
        doors.lock().unwrap().push(Api::new(api.url.clone()));
        sleep(PAUSE).await;
        new_workers.push(new.worker("new worker 1").await);
        old_workers[1].stop().await;
        sleep(PAUSE).await;
        doors.lock().unwrap().remove(0);
        sleep(PAUSE).await;
        old_door.stop().await;
        sleep(PAUSE).await;
        stop.cancel();
        (api, new_door, new_workers)
    };
    let ((), (api, mut new_door, mut new_workers)) = tokio::join!(load.clone().run(stop.clone()), replace);

    let taken = load.taken.lock().unwrap().clone();
    let balance = balance(&api, &ledger, &taken, 0).await;
    println!("{} tasks taken by both versions, {} completed", taken.len(), balance.completed);
    assert_eq!(balance.completed, taken.len());
    assert_eq!((balance.crashes, balance.repeated), (0, 0));
    for worker in &mut new_workers {
        worker.stop().await;
    }
    new_door.stop().await;
}
