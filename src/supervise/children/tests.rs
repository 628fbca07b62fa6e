use std::{collections::HashSet, path::PathBuf, process::Command, sync::Mutex};

use async_trait::async_trait;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::{
    broker::{BrokerError, Condemned, Consumer, Delivery, Depth, Receipt},
    store::{Beat, Orders, StoreError, WorkerInfo},
    task::{Message, Queue, Timestamp},
};

/// Stands for the store and the broker: tells the test what was done to whom, and lets it say who beats.
struct Office {
    done: mpsc::UnboundedSender<(&'static str, WorkerId)>,
    /// One permit for each look at the registry, so that the test is the clock.
    looks: Semaphore,
    known: Mutex<HashSet<WorkerId>>,
    silent: Mutex<HashSet<WorkerId>>,
    beats: Mutex<u64>,
}

#[async_trait]
impl WorkerStore for Office {
    async fn beat(&self, _: &Beat) -> Result<Orders, StoreError> {
        Ok(Orders::default())
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        self.looks.acquire().await.unwrap().forget();
        let mut beats = self.beats.lock().unwrap();
        *beats += 1;
        let silent = self.silent.lock().unwrap();
        let known = self.known.lock().unwrap();
        Ok(known.iter().map(|worker| info(*worker, if silent.contains(worker) { 0 } else { *beats })).collect())
    }

    async fn drain(&self, _: WorkerId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn bury(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.done.send(("bury", worker)).unwrap();
        Ok(())
    }

    async fn forget(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.done.send(("forget", worker)).unwrap();
        Ok(())
    }
}

fn info(worker: WorkerId, beats: u64) -> WorkerInfo {
    let beat = Beat {
        worker,
        pool: "test".into(),
        host: "here".into(),
        pid: 1,
        started_at: Timestamp::now(),
        slots: 1,
        draining: false,
        queues: vec![],
        running: vec![],
        progress: vec![],
        lease: Duration::from_secs(3),
        usage: None,
        done: Default::default(),
    };
    WorkerInfo { beat, beats, last_beat: Timestamp::now(), alive: true }
}

#[async_trait]
impl Broker for Office {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        messages.iter().map(|_| Ok(())).collect()
    }

    async fn consume(&self, _: WorkerId, _: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(Nothing))
    }

    async fn ack(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn release(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn reclaim(&self, worker: WorkerId) -> Result<u64, BrokerError> {
        self.done.send(("reclaim", worker)).unwrap();
        Ok(3)
    }

    async fn sweep(&self, _: WorkerId, _: usize) -> Result<Vec<Condemned>, BrokerError> {
        Ok(vec![])
    }

    async fn depth(&self, _: Queue) -> Result<Depth, BrokerError> {
        Ok(Depth::default())
    }
}

struct Nothing;

#[async_trait]
impl Consumer for Nothing {
    async fn next(&mut self, _: usize) -> Result<Vec<Delivery>, BrokerError> {
        std::future::pending().await
    }

    async fn rest(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}

/// A pool of shell scripts.
struct Stage {
    office: Arc<Office>,
    done: mpsc::UnboundedReceiver<(&'static str, WorkerId)>,
    starts: BufReader<pipe::Receiver>,
    shutdown: Shutdown,
    children: JoinHandle<Vec<Left>>,
    _folder: tempfile::TempDir,
}

/// Reports its id and process, then lives until its input ends.
const WORKER: &str = "echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; exec cat";

fn fifo(folder: &tempfile::TempDir, name: &str) -> (PathBuf, pipe::OpenOptions) {
    let path = folder.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (path, pipe::OpenOptions::new())
}

impl Stage {
    fn new(workers: usize, script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut options) = fifo(&folder, "starts");
        let starts = BufReader::new(options.read_write(true).open_receiver(&path).unwrap());
        let pool = Pool {
            name: "test".into(),
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("STARTS".into(), path.into()), ("FOLDER".into(), folder.path().into())],
            workers,
            lease: Duration::from_millis(10),
            grace: Duration::ZERO,
        };
        let (sender, done) = mpsc::unbounded_channel();
        let office = Arc::new(Office {
            done: sender,
            looks: Semaphore::new(0),
            known: Mutex::default(),
            silent: Mutex::default(),
            beats: Mutex::new(1),
        });
        let children = Children::new(pool, office.clone(), office.clone());
        let shutdown = Shutdown::new();
        let until = shutdown.clone();
        let children = tokio::spawn(async move { children.keep(&until).await });
        Self { office, done, starts, shutdown, children, _folder: folder }
    }

    /// The next worker to start: its id and its process.
    async fn started(&mut self) -> (WorkerId, String) {
        let mut line = String::new();
        self.starts.read_line(&mut line).await.unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[2], "test");
        let worker = words[0].parse().unwrap();
        self.office.known.lock().unwrap().insert(worker);
        (worker, words[1].to_owned())
    }

    async fn buried(&mut self) -> WorkerId {
        let (mut steps, mut who) = (vec![], HashSet::new());
        for _ in 0..3 {
            let (step, worker) = self.done.recv().await.unwrap();
            steps.push(step);
            who.insert(worker);
        }
        assert_eq!(steps, ["bury", "reclaim", "forget"]);
        assert_eq!(who.len(), 1);
        who.into_iter().next().unwrap()
    }

    async fn end(self) -> Vec<Left> {
        self.shutdown.drain.cancel();
        self.children.await.unwrap()
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[tokio::test]
async fn a_killed_worker_is_buried_and_replaced_and_the_others_live() {
    let mut stage = Stage::new(3, WORKER);
    let (victim, pid) = stage.started().await;
    let others = [stage.started().await.0, stage.started().await.0];
    signal("-KILL", &pid);
    assert_eq!(stage.buried().await, victim);
    let replacement = stage.started().await.0;
    assert_ne!(replacement, victim, "a new incarnation has a new id");
    let left = stage.end().await;
    assert!(left.iter().all(|left| left.clean), "{left:?}");
    let ids: HashSet<_> = left.iter().map(|left| left.worker).collect();
    assert_eq!(ids, HashSet::from([others[0], others[1], replacement]));
}

#[tokio::test]
async fn a_stopped_worker_is_found_hanging_and_replaced() {
    let mut stage = Stage::new(2, WORKER);
    let (victim, pid) = stage.started().await;
    let healthy = stage.started().await.0;
    stage.office.silent.lock().unwrap().insert(victim);
    signal("-STOP", &pid);
    let office = stage.office.clone();
    // One look after the other until the burial; the replacement is not to be judged before the test knows it.
    let look = async {
        loop {
            office.looks.add_permits(1);
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        buried = stage.buried() => assert_eq!(buried, victim),
        () = look => {}
    }
    let replacement = stage.started().await.0;
    let ids: HashSet<_> = stage.end().await.iter().map(|left| left.worker).collect();
    assert_eq!(ids, HashSet::from([healthy, replacement]));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_once_does_not_storm() {
    let mut stage = Stage::new(1, "exit 3");
    let start = Instant::now();
    for _ in 0..5 {
        stage.buried().await;
    }
    // Half of 500 ms, of 1 s and of 2 s at least, after one restart at once.
    assert!(start.elapsed() >= Duration::from_millis(250 + 500 + 1000), "{:?}", start.elapsed());
    stage.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_cannot_start_does_not_hold_up_shutdown() {
    let stage = Stage::new(1, WORKER);
    let pool = Pool {
        name: "broken".into(),
        program: "no-such-program".into(),
        args: vec![],
        env: vec![],
        workers: 2,
        lease: Duration::from_secs(3),
        grace: Duration::ZERO,
    };
    let children = Children::new(pool, stage.office.clone(), stage.office.clone());
    let shutdown = Shutdown::new();
    let (left, ()) = tokio::join!(children.keep(&shutdown), async {
        sleep(Duration::from_secs(600)).await;
        shutdown.drain.cancel();
    });
    assert!(left.is_empty());
    stage.end().await;
}

/// Ignores the end of its input.
const DEAF: &str = "echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; sleep 1000; :";

#[tokio::test(start_paused = true)]
async fn a_worker_that_outlasts_its_grace_is_killed_and_buried() {
    let mut stage = Stage::new(1, DEAF);
    let worker = stage.started().await.0;
    stage.shutdown.drain.cancel();
    assert_eq!(stage.buried().await, worker);
    let left = stage.end().await;
    assert!(left[0].killed && !left[0].clean && left[0].how.contains("SIGKILL"), "{left:?}");
}

#[tokio::test]
async fn the_second_signal_kills_at_once() {
    let mut stage = Stage::new(1, DEAF);
    stage.started().await;
    stage.shutdown.now.cancel();
    assert!(stage.children.await.unwrap()[0].killed);
}

/// Starts a program as `exec` does, outside its own process group.
#[cfg(target_os = "linux")]
const PARENT: &str =
    "CLAWPOOL_OWNER=$CLAWPOOL_WORKER_ID setsid sh -c 'exec 3>$FOLDER/held; echo up >&3; sleep 1000; :' &
    echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; exec cat";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_programs_of_a_killed_worker_end_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut options) = fifo(&folder, "held");
    let mut held = BufReader::new(options.read_write(false).open_receiver(&path).unwrap());
    let script = PARENT.replace("$FOLDER", &folder.path().display().to_string());
    let mut stage = Stage::new(1, &script);
    let (worker, pid) = stage.started().await;
    held.read_line(&mut String::new()).await.unwrap();
    signal("-KILL", &pid);
    assert_eq!(stage.buried().await, worker);
    // The replacement's own program may hold the pipe; without a replacement nobody does.
    stage.started().await;
    stage.shutdown.now.cancel();
    stage.end().await;
    held.read_to_end(&mut Vec::new()).await.unwrap();
}
