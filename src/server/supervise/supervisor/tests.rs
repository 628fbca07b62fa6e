use std::{
    collections::{HashMap, HashSet},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::*;
use crate::supervise::{Cause, CrashReport, Severity};
use clawpool_backends::{
    broker::{BrokerError, Consumer, DeadLettered, Delivery, Depth, Receipt},
    store::{
        Beat, Done, Entry, Fence, JournalStore, NoteStore, Orders, Page, Question, StoreError, Topic, Usage,
        WorkerInfo, WorkerStore,
    },
};
use clawpool_core::{
    config::RestartPolicy,
    task::{Message, Queue, TaskId, Timestamp},
};

/// A store and a broker. Tells the test what was done for which worker; the test says which workers beat.
struct FakeServers {
    done: mpsc::UnboundedSender<(&'static str, ProcessId)>,
    /// One permit for each reading of the registry, so that the test is the clock.
    snapshots: Semaphore,
    known: Mutex<HashSet<ProcessId>>,
    silent: Mutex<HashSet<ProcessId>>,
    beats: Mutex<u64>,
    /// What workers die with.
    claimed: Mutex<Vec<TaskId>>,
    /// What they were polling, as their supervisor saw it.
    polled: Mutex<Vec<Option<Vec<TaskId>>>>,
    /// What they say of themselves.
    said: Mutex<HashMap<ProcessId, (u64, u64)>>,
    journal: Mutex<Vec<Entry>>,
    notes: Mutex<HashSet<String>>,
    /// It can be read and not written, and how often a write was tried.
    full: AtomicBool,
    refused: AtomicUsize,
    /// The same for the journal alone.
    refusals: AtomicUsize,
}

#[async_trait]
impl WorkerStore for FakeServers {
    async fn beat(&self, _: &Beat) -> Result<Orders, StoreError> {
        Ok(Orders::default())
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        self.snapshots.acquire().await.unwrap().forget();
        let mut beats = self.beats.lock().unwrap();
        *beats += 1;
        let silent = self.silent.lock().unwrap();
        let known = self.known.lock().unwrap();
        let said = self.said.lock().unwrap();
        let one = |worker: &ProcessId| {
            let mut info = info(*worker, if silent.contains(worker) { 0 } else { *beats });
            if let Some((tasks, memory)) = said.get(worker) {
                info.beat.done = Done { tasks: *tasks, run: Duration::ZERO };
                info.beat.usage = Some(Usage { cpu: 1.0, memory: *memory });
            }
            info
        };
        Ok(known.iter().map(one).collect())
    }

    async fn drain(&self, _: ProcessId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn end_lease(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError> {
        self.polled.lock().unwrap().push(polled.map(<[_]>::to_vec));
        self.done.send(("end_lease", worker)).unwrap();
        Ok(self.claimed.lock().unwrap().clone())
    }

    async fn ask(&self, _: &[Question]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, worker: ProcessId) -> Result<(), StoreError> {
        self.done.send(("forget", worker)).unwrap();
        Ok(())
    }
}

#[async_trait]
impl JournalStore for FakeServers {
    async fn append(&self, _: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Blocked { store: "test", reason: "full".into() });
        }
        self.journal.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn journal(
        &self,
        _: Topic,
        _: Option<&str>,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<Entry>, StoreError> {
        Ok(Page { items: self.journal.lock().unwrap().clone(), next: None })
    }
}

#[async_trait]
impl NoteStore for FakeServers {
    async fn put_note(
        &self,
        _: Option<Fence>,
        name: &str,
        _: Bytes,
        _: Option<Duration>,
    ) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable { store: "test", reason: "full".into() });
        }
        self.notes.lock().unwrap().insert(name.to_owned());
        Ok(())
    }

    async fn note(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }

    async fn notes(&self, _: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        Ok(vec![])
    }

    async fn erase_note(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.notes.lock().unwrap().remove(name))
    }
}

pub(in crate::supervise) fn info(worker: ProcessId, beats: u64) -> WorkerInfo {
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
        paused: None,
        kinds: None,
        unhandled: Vec::new(),
    };
    WorkerInfo { beat, beats, last_beat: Timestamp::now(), alive: true }
}

#[async_trait]
impl Broker for FakeServers {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        messages.iter().map(|_| Ok(())).collect()
    }

    async fn consume(&self, _: ProcessId, _: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(Nothing))
    }

    async fn ack(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn release(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn reclaim(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        self.done.send(("reclaim", worker)).unwrap();
        Ok(3)
    }

    async fn take_dead_lettered(&self, _: ProcessId, _: usize) -> Result<Vec<DeadLettered>, BrokerError> {
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

    async fn pause(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}

/// A pool of shell scripts.
struct TestPool {
    servers: Arc<FakeServers>,
    done: mpsc::UnboundedReceiver<(&'static str, ProcessId)>,
    starts: BufReader<pipe::Receiver>,
    shutdown: Shutdown,
    supervisor: Arc<Supervisor>,
    running: JoinHandle<Vec<StoppedWorker>>,
    _folder: tempfile::TempDir,
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
        let servers = Arc::new(FakeServers {
            done: sender,
            snapshots: Semaphore::new(0),
            known: Mutex::default(),
            silent: Mutex::default(),
            beats: Mutex::new(1),
            claimed: Mutex::default(),
            polled: Mutex::default(),
            said: Mutex::default(),
            journal: Mutex::default(),
            notes: Mutex::default(),
            full: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
        });
        let supervisor = Arc::new(Supervisor::new(pool, servers.clone(), servers.clone()));
        let shutdown = Shutdown::new();
        let (keeper, until) = (supervisor.clone(), shutdown.clone());
        let running = tokio::spawn(async move { keeper.run(&until).await });
        Self { servers, done, starts, shutdown, supervisor, running, _folder: folder }
    }

    /// Lets the supervisor read the registry for as long as this is polled.
    async fn snapshot(servers: Arc<FakeServers>) -> Infallible {
        loop {
            servers.snapshots.add_permits(1);
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn entries(&self, topic: Topic) -> Vec<Entry> {
        let journal = self.servers.journal.lock().unwrap();
        journal.iter().filter(|entry| entry.topic == topic).cloned().collect()
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
        self.servers.known.lock().unwrap().insert(worker);
        (worker, words[1].to_owned())
    }

    async fn cleaned_up(&mut self) -> ProcessId {
        let (mut steps, mut who) = (vec![], HashSet::new());
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

#[tokio::test]
async fn a_killed_worker_is_cleaned_up_and_replaced_and_the_others_live() {
    let mut test = TestPool::new(3, WORKER);
    let (killed, pid) = test.started().await;
    let others = [test.started().await.0, test.started().await.0];
    signal("-KILL", &pid);
    assert_eq!(test.cleaned_up().await, killed);
    let replacement = test.started().await.0;
    assert_ne!(replacement, killed, "a new incarnation has a new id");
    let left = test.end().await;
    assert!(left.iter().all(|left| left.clean), "{left:?}");
    let ids: HashSet<_> = left.iter().map(|left| left.worker).collect();
    assert_eq!(ids, HashSet::from([others[0], others[1], replacement]));
}

#[tokio::test]
async fn a_stopped_worker_is_found_hanging_and_replaced() {
    let mut test = TestPool::new(2, WORKER);
    let (killed, pid) = test.started().await;
    let healthy = test.started().await.0;
    test.servers.silent.lock().unwrap().insert(killed);
    signal("-STOP", &pid);
    // Until the clean-up; the replacement must not be checked before the test knows it.
    let snapshot = TestPool::snapshot(test.servers.clone());
    tokio::select! {
        cleaned = test.cleaned_up() => assert_eq!(cleaned, killed),
        never = snapshot => match never {},
    }
    let replacement = test.started().await.0;
    let ids: HashSet<_> = test.end().await.iter().map(|left| left.worker).collect();
    assert_eq!(ids, HashSet::from([healthy, replacement]));
}

/// All workers are silent because none can write.
#[tokio::test]
async fn a_store_that_takes_no_writes_makes_no_worker_look_dead() {
    let mut test = TestPool::new(2, WORKER);
    let workers = [test.started().await.0, test.started().await.0];
    test.servers.full.store(true, Ordering::SeqCst);
    test.servers.silent.lock().unwrap().extend(workers);
    let snapshot = tokio::spawn(TestPool::snapshot(test.servers.clone()));
    // Each refusal is a quarter of a lease after the one before.
    while test.servers.refused.load(Ordering::SeqCst) < 12 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.done.try_recv().is_err(), "a worker was taken for dead");
    test.servers.full.store(false, Ordering::SeqCst);
    let cleaned = HashSet::from([test.cleaned_up().await, test.cleaned_up().await]);
    assert_eq!(cleaned, HashSet::from(workers), "now it is their own silence");
    snapshot.abort();
    test.shutdown.now.cancel();
    test.end().await;
}

/// It may be what keeps the others from writing.
#[tokio::test]
async fn a_worker_that_its_system_stopped_ends_although_the_store_takes_no_writes() {
    let mut test = TestPool::new(2, WORKER);
    let (stopped, pid) = test.started().await;
    let other = test.started().await.0;
    test.servers.full.store(true, Ordering::SeqCst);
    test.servers.silent.lock().unwrap().extend([stopped, other]);
    signal("-STOP", &pid);
    let snapshot = tokio::spawn(TestPool::snapshot(test.servers.clone()));
    assert_eq!(test.cleaned_up().await, stopped);
    test.servers.full.store(false, Ordering::SeqCst);
    test.servers.silent.lock().unwrap().clear();
    snapshot.abort();
    test.started().await;
    let supervisor = test.supervisor.clone();
    assert!(supervisor.has_ended(stopped) && !supervisor.has_ended(other));
    let left = test.end().await;
    assert!(left.iter().any(|left| left.worker == other && left.clean), "{left:?}");
    assert!(supervisor.has_ended(other));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_once_does_not_storm() {
    let mut test = TestPool::new(1, "exit 3");
    let start = Instant::now();
    for _ in 0..5 {
        test.cleaned_up().await;
    }
    // Half of 500 ms at least after one restart at once; then the breaker, twice.
    assert!(start.elapsed() >= Duration::from_secs(600), "{:?}", start.elapsed());
    assert!(test.events().iter().all(|event| event == "restart_breaker"), "{:?}", test.events());
    let crashes = test.entries(Topic::Crash);
    assert!(crashes.len() >= 4 && crashes[0].body["type"] == "exception", "{crashes:?}");
    test.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_cannot_start_does_not_hold_up_shutdown() {
    let test = TestPool::new(1, WORKER);
    let supervisor = Supervisor::new(pool(2, "no-such-program"), test.servers.clone(), test.servers.clone());
    let shutdown = Shutdown::new();
    let (left, ()) = tokio::join!(supervisor.run(&shutdown), async {
        sleep(Duration::from_secs(600)).await;
        shutdown.drain.cancel();
    });
    assert!(left.is_empty());
    let events: HashSet<_> = test.events().into_iter().collect();
    assert_eq!(events, HashSet::from(["cannot_start".to_owned(), "restart_breaker".to_owned()]));
    assert!(test.events().len() <= 20, "people are not flooded");
    test.end().await;
}

/// Ignores the end of its input.
const DEAF: &str = "echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; sleep 1000; :";

#[tokio::test(start_paused = true)]
async fn a_worker_that_outlasts_its_grace_is_killed_and_cleaned_up() {
    let mut test = TestPool::new(1, DEAF);
    let worker = test.started().await.0;
    test.shutdown.drain.cancel();
    assert_eq!(test.cleaned_up().await, worker);
    let left = test.end().await;
    assert!(left[0].killed && !left[0].clean && left[0].how.contains("SIGKILL"), "{left:?}");
}

#[tokio::test]
async fn the_second_signal_kills_at_once() {
    let mut test = TestPool::new(1, DEAF);
    test.started().await;
    test.shutdown.now.cancel();
    assert!(test.running.await.unwrap()[0].killed);
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
    let mut test = TestPool::new(1, &script);
    let (worker, pid) = test.started().await;
    held.read_line(&mut String::new()).await.unwrap();
    signal("-KILL", &pid);
    assert_eq!(test.cleaned_up().await, worker);
    // The replacement's own program may hold the pipe; without a replacement no process does.
    test.started().await;
    test.shutdown.now.cancel();
    test.end().await;
    held.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_crash_is_reported_with_its_last_words_and_its_tasks() {
    let mut test =
        TestPool::new(1, "echo the last words >&2; echo $CLAWPOOL_WORKER_ID $$ test > $STARTS; exec cat");
    let (worker, pid) = test.started().await;
    let task = TaskId::new();
    test.servers.claimed.lock().unwrap().push(task);
    signal("-SEGV", &pid);
    test.cleaned_up().await;
    test.started().await;
    while test.entries(Topic::Crash).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let entry = test.entries(Topic::Crash).remove(0);
    let report: CrashReport = serde_json::from_value(entry.body).unwrap();
    assert_eq!((report.worker, report.pid.to_string(), entry.subject), (worker, pid, "test".into()));
    assert_eq!((report.cause, report.severity, report.tasks), (Cause::Segfault, Severity::High, vec![task]));
    assert!(
        report.exit.contains("SIGSEGV") && report.log == ["the last words"],
        "{} {:?}",
        report.exit,
        report.log
    );
    test.end().await;
}

/// Kills from outside are no task's doing.
#[tokio::test]
async fn the_store_learns_what_a_worker_was_polling_as_it_crashed() {
    let task = TaskId::new();
    let script = format!("touch $CLAWPOOL_POLLING/{task}; {WORKER}");
    for (name, polled) in [("-ABRT", Some(vec![task])), ("-KILL", None)] {
        let mut test = TestPool::new(1, &script);
        let (worker, pid) = test.started().await;
        signal(name, &pid);
        assert_eq!(test.cleaned_up().await, worker);
        assert_eq!(*test.servers.polled.lock().unwrap(), [polled], "{name}");
        test.end().await;
    }
}

#[tokio::test]
async fn a_pool_grows_and_shrinks_and_a_busy_worker_is_let_finish() {
    // Goes on for as long as the test holds its pipe, whatever is asked of it.
    let busy = "echo $CLAWPOOL_WORKER_ID $$ test > $STARTS; cat; read line < $FOLDER/work; exit 0";
    let mut test = TestPool::with(busy, PoolSpec { grace: Duration::from_secs(60), ..pool(1, "sh") });
    let (path, mut options) = fifo(&test._folder, "work");
    let first = test.started().await.0;
    test.supervisor.start(2);
    let others = [test.started().await.0, test.started().await.0];
    test.until(|replicas| {
        replicas.len() == 3 && replicas.iter().all(|replica| replica.up && !replica.draining)
    })
    .await;
    test.supervisor.drain(&[first]);
    test.until(|replicas| replicas.iter().any(|replica| replica.worker == first && replica.draining)).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(test.supervisor.replicas().len(), 3, "it still works");
    let mut work = options.read_write(true).open_sender(&path).unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut work, b"done\n").await.unwrap();
    test.until(|replicas| replicas.len() == 2).await;
    let left: HashSet<_> = test.supervisor.replicas().iter().map(|replica| replica.worker).collect();
    assert_eq!(left, HashSet::from(others), "and it was not replaced");
    assert!(test.done.try_recv().is_err(), "no clean-up was needed");
    test.shutdown.now.cancel();
    test.end().await;
}

#[tokio::test]
async fn an_emergency_replaces_workers_at_once() {
    let mut test = TestPool::new(2, DEAF);
    let old = [test.started().await.0, test.started().await.0];
    test.supervisor.replace(&old);
    let new = [test.started().await.0, test.started().await.0];
    assert!(new.iter().all(|worker| !old.contains(worker)));
    test.shutdown.now.cancel();
    test.end().await;
}

/// A worker that exceeded a limit leaves, and another one is there at once.
async fn is_recycled(recycle: Recycle, said: (u64, u64), event: &str, reason: &str) {
    let mut test = TestPool::with(WORKER, PoolSpec { recycle, ..pool(1, "sh") });
    let old = test.started().await.0;
    test.servers.said.lock().unwrap().insert(old, said);
    let snapshot = TestPool::snapshot(test.servers.clone());
    let new = tokio::select! {
        new = test.started() => new.0,
        never = snapshot => match never {},
    };
    assert_ne!(old, new);
    test.until(|replicas| replicas.len() == 1 && replicas[0].worker == new).await;
    while test.events().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let notice = test.entries(Topic::Alert).remove(0).body;
    assert!(notice["event"] == event && notice["text"].as_str().unwrap().contains(reason), "{notice}");
    assert!(test.entries(Topic::Crash).is_empty());
    test.end().await;
}

#[tokio::test]
async fn a_worker_that_has_run_its_tasks_is_replaced() {
    is_recycled(Recycle { max_tasks: Some(10), max_memory: None }, (10, 0), "recycled", "max_tasks is 10")
        .await;
}

#[tokio::test]
async fn a_worker_that_leaks_is_replaced() {
    is_recycled(
        Recycle { max_tasks: None, max_memory: Some(1 << 20) },
        (1, 2 << 20),
        "over_memory",
        "max_memory",
    )
    .await;
}

/// Its successor does not wait for that.
#[tokio::test]
async fn a_crash_report_is_written_as_soon_as_the_store_takes_it() {
    let mut test = TestPool::with(WORKER, pool(1, "sh"));
    let (_, pid) = test.started().await;
    test.servers.full.store(true, Ordering::SeqCst);
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.started().await;
    assert!(test.servers.journal.lock().unwrap().is_empty());
    test.servers.full.store(false, Ordering::SeqCst);
    while test.servers.journal.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.servers.journal.lock().unwrap()[0].topic, Topic::Crash);
    test.end().await;
}

/// Alerts as well as reports, each once, in their order.
#[tokio::test]
async fn alerts_of_an_outage_are_written_as_soon_as_the_store_takes_them() {
    let restart = Restart { policy: RestartPolicy::Manual, ..Restart::default() };
    let mut test = TestPool::with(WORKER, PoolSpec { restart, ..pool(1, "sh") });
    let (_, pid) = test.started().await;
    test.servers.full.store(true, Ordering::SeqCst);
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.until(|replicas| replicas.iter().all(|replica| !replica.up)).await;
    while test.servers.refusals.load(Ordering::SeqCst) < 3 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.servers.journal.lock().unwrap().is_empty());
    test.servers.full.store(false, Ordering::SeqCst);
    while test.events() != ["restart_held"] {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.entries(Topic::Crash).len(), 1);
    test.end().await;
}

#[tokio::test]
async fn a_manual_pool_waits_for_its_operator() {
    let restart = Restart { policy: RestartPolicy::Manual, ..Restart::default() };
    let mut test = TestPool::with(WORKER, PoolSpec { restart, ..pool(1, "sh") });
    let (_, pid) = test.started().await;
    signal("-KILL", &pid);
    test.cleaned_up().await;
    while test.events() != ["restart_held"] {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.supervisor.replicas().iter().all(|replica| !replica.up));
    test.servers.put_note(None, &format!("{RESTART}test"), Bytes::new(), None).await.unwrap();
    let snapshot = TestPool::snapshot(test.servers.clone());
    tokio::select! {
        started = test.started() => drop(started),
        never = snapshot => match never {},
    }
    test.end().await;
}
