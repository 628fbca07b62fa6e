//! The supervisor with real processes, shell scripts, and servers in memory.

mod crashes;
mod hanging;
mod journal;
mod sizes;
mod stopping;

use std::{collections::HashSet, process::Command};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::unix::pipe,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::*;
use clawpool_backends::{
    path::{PathError, Reclaim},
    store::{
        Entry, Topic,
        testing::{Call, TestStore, worker_info},
    },
};

/// A pool of shell scripts.
struct TestPool {
    store: Arc<TestStore>,
    path: Arc<TestPath>,
    /// Workers that send no heartbeats.
    silent: Arc<Mutex<HashSet<ProcessId>>>,
    done: mpsc::UnboundedReceiver<Call>,
    starts: BufReader<pipe::Receiver>,
    shutdown: Shutdown,
    supervisor: Arc<Supervisor>,
    running: JoinHandle<Vec<StoppedWorker>>,
    _folder: tempfile::TempDir,
}

/// Tells of each worker whose tasks are given back.
struct TestPath(mpsc::UnboundedSender<Call>);

#[async_trait::async_trait]
impl Reclaim for TestPath {
    async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError> {
        self.0.send(("reclaim", worker)).unwrap();
        Ok(0)
    }
}

/// Reports its id and process, then lives until its input ends.
const WORKER: &str = "echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; exec cat";

fn fifo(folder: &tempfile::TempDir, name: &str) -> (PathBuf, pipe::OpenOptions) {
    let path = folder.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (path, pipe::OpenOptions::new())
}

fn pool(workers: usize, program: &str) -> PoolSpec {
    PoolSpec {
        name: "test".into(),
        program: program.into(),
        args: vec![],
        env: vec![],
        workers,
        lease: Duration::from_millis(200),
        grace: Duration::ZERO,
        restart: Restart::default(),
        recycle: Recycle::default(),
        limits: Limits::default(),
    }
}

impl TestPool {
    fn new(workers: usize, script: &str) -> Self {
        Self::with(script, pool(workers, "sh"))
    }

    fn with(script: &str, mut pool: PoolSpec) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut options) = fifo(&folder, "starts");
        let starts = BufReader::new(options.read_write(true).open_receiver(&path).unwrap());
        pool.args = vec!["-c".into(), script.into()];
        pool.env = vec![("STARTS".into(), path.into()), ("FOLDER".into(), folder.path().into())];
        let (sender, done) = mpsc::unbounded_channel();
        let store = Arc::new(TestStore::telling(sender.clone()));
        let path = Arc::new(TestPath(sender));
        // The test is the clock.
        store.hold_readings();
        let supervisor = Arc::new(Supervisor::new(pool, store.clone(), path.clone()));
        let shutdown = Shutdown::new();
        let keeper = supervisor.clone();
        let until = shutdown.clone();
        let running = tokio::spawn(async move { keeper.run(&until).await });
        let silent = Arc::default();
        Self { store, path, silent, done, starts, shutdown, supervisor, running, _folder: folder }
    }

    /// Lets workers send heartbeats and the supervisor hear them, for as long as this is polled.
    fn snapshot(&self) -> impl Future<Output = Infallible> + Send + use<> {
        let store = self.store.clone();
        let silent = self.silent.clone();
        async move {
            loop {
                // No reading ahead of its heartbeats: more would be heard as silence after the end.
                if store.readings.available_permits() == 0 {
                    for (worker, info) in &mut store.state().workers {
                        info.beats += u64::from(!silent.lock().unwrap().contains(worker));
                    }
                    store.readings.add_permits(1);
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    fn entries(&self, topic: Topic) -> Vec<Entry> {
        let state = self.store.state();
        state.journal.iter().filter(|entry| entry.topic == topic).cloned().collect()
    }

    fn events(&self) -> Vec<String> {
        self.entries(Topic::Alert)
            .iter()
            .map(|entry| entry.body["event"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until the replicas are as `wanted`.
    async fn until(&self, wanted: impl Fn(&[ReplicaStatus]) -> bool) {
        while !wanted(&self.supervisor.replicas()) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The next worker to start: its id and its process.
    async fn started(&mut self) -> (ProcessId, String) {
        let mut line = String::new();
        self.starts.read_line(&mut line).await.unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[2], "test");
        let worker = words[0].parse().unwrap();
        self.store.state().workers.insert(worker, worker_info("test", worker, 1));
        (worker, words[1].to_owned())
    }

    async fn cleaned_up(&mut self) -> ProcessId {
        let mut steps = vec![];
        let mut who = HashSet::new();
        for _ in 0..3 {
            let (step, worker) = self.done.recv().await.unwrap();
            steps.push(step);
            who.insert(worker);
        }
        assert_eq!(steps, ["end_lease", "reclaim", "forget"]);
        assert_eq!(who.len(), 1);
        who.into_iter().next().unwrap()
    }

    async fn end(self) -> Vec<StoppedWorker> {
        self.shutdown.drain.cancel();
        self.running.await.unwrap()
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

/// Ignores the end of its input.
const DEAF: &str = "echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; sleep 1000; :";
