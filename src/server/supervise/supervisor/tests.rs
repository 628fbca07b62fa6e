use std::{collections::HashSet, process::Command};

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::*;
use crate::supervise::{Cause, CrashReport, Severity};
use clawpool_backends::{
    broker::testing::TestBroker,
    store::{
        Done, Entry, NoteStore, Topic, Usage,
        testing::{Call, TestStore, worker_info},
    },
};
use clawpool_core::{config::RestartPolicy, task::TaskId};

/// A pool of shell scripts.
struct TestPool {
    store: Arc<TestStore>,
    broker: Arc<TestBroker>,
    /// Workers that send no heartbeats.
    silent: Arc<Mutex<HashSet<ProcessId>>>,
    done: mpsc::UnboundedReceiver<Call>,
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
        let store = Arc::new(TestStore::telling(sender.clone()));
        let broker = Arc::new(TestBroker::telling(sender));
        // The test is the clock.
        store.hold_readings();
        let supervisor = Arc::new(Supervisor::new(pool, store.clone(), broker.clone()));
        let shutdown = Shutdown::new();
        let keeper = supervisor.clone();
        let until = shutdown.clone();
        let running = tokio::spawn(async move { keeper.run(&until).await });
        let silent = Arc::default();
        Self { store, broker, silent, done, starts, shutdown, supervisor, running, _folder: folder }
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
    test.silent.lock().unwrap().insert(killed);
    signal("-STOP", &pid);
    // Until the clean-up; the replacement must not be checked before the test knows it.
    let snapshot = test.snapshot();
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
    test.store.state().full = true;
    test.silent.lock().unwrap().extend(workers);
    let snapshot = tokio::spawn(test.snapshot());
    // Each refusal is a quarter of a lease after the one before.
    while test.store.state().refused_notes < 12 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.done.try_recv().is_err(), "a worker was taken for dead");
    test.store.state().full = false;
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
    test.store.state().full = true;
    test.silent.lock().unwrap().extend([stopped, other]);
    signal("-STOP", &pid);
    let snapshot = tokio::spawn(test.snapshot());
    assert_eq!(test.cleaned_up().await, stopped);
    test.store.state().full = false;
    test.silent.lock().unwrap().clear();
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
    let supervisor = Supervisor::new(pool(2, "no-such-program"), test.store.clone(), test.broker.clone());
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
    test.store.state().running.push(task);
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
        assert_eq!(test.store.state().polled, [polled], "{name}");
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

fn done(tasks: u64) -> Done {
    Done { tasks, run: Duration::ZERO }
}

/// A worker that exceeded a limit leaves, and another one is there at once.
async fn is_recycled(recycle: Recycle, done: Done, memory: u64, event: &str, reason: &str) {
    let mut test = TestPool::with(WORKER, PoolSpec { recycle, ..pool(1, "sh") });
    let old = test.started().await.0;
    if let Some(info) = test.store.state().workers.get_mut(&old) {
        info.beat.done = done;
        info.beat.usage = Some(Usage { cpu: 1.0, memory });
    }
    let snapshot = test.snapshot();
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
    let recycle = Recycle { max_tasks: Some(10), max_memory: None };
    is_recycled(recycle, done(10), 0, "recycled", "max_tasks is 10").await;
}

#[tokio::test]
async fn a_worker_that_leaks_is_replaced() {
    let recycle = Recycle { max_tasks: None, max_memory: Some(1 << 20) };
    is_recycled(recycle, done(1), 2 << 20, "over_memory", "max_memory").await;
}

/// Its successor does not wait for that.
#[tokio::test]
async fn a_crash_report_is_written_as_soon_as_the_store_takes_it() {
    let mut test = TestPool::with(WORKER, pool(1, "sh"));
    let (_, pid) = test.started().await;
    test.store.state().full = true;
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.started().await;
    assert!(test.store.state().journal.is_empty());
    test.store.state().full = false;
    while test.store.state().journal.is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.store.state().journal[0].topic, Topic::Crash);
    test.end().await;
}

/// Alerts as well as reports, each once, in their order.
#[tokio::test]
async fn alerts_of_an_outage_are_written_as_soon_as_the_store_takes_them() {
    let restart = Restart { policy: RestartPolicy::Manual, ..Restart::default() };
    let mut test = TestPool::with(WORKER, PoolSpec { restart, ..pool(1, "sh") });
    let (_, pid) = test.started().await;
    test.store.state().full = true;
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.until(|replicas| replicas.iter().all(|replica| !replica.up)).await;
    while test.store.state().refused_entries < 3 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.store.state().journal.is_empty());
    test.store.state().full = false;
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
    test.store.put_note(None, &format!("{RESTART}test"), Bytes::new(), None).await.unwrap();
    let snapshot = test.snapshot();
    tokio::select! {
        started = test.started() => drop(started),
        never = snapshot => match never {},
    }
    test.end().await;
}
