//! Keeps the worker processes of one pool running, as many as it is told.

#[cfg(test)]
#[cfg(unix)]
pub(super) mod tests;

use std::{
    collections::HashMap,
    convert::Infallible,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

use super::{
    alerts::RESTART,
    heartbeats::{self, Snapshot},
    recycle::Recycle,
    replica::Replica,
    replicas::{ReplicaStatus, Replicas},
    restart::{NextStart, Restarts, WaitReason},
};
use clawpool_backends::{
    path::Reclaim,
    store::{PoolStore, WorkerInfo},
};
use clawpool_core::{config::Restart, task::ProcessId};
use clawpool_engine::{
    alert::{Event, Outbox},
    process::{Limits, Shutdown},
};

/// Beyond its own grace, for a stopping worker to settle what it gave back.
pub(super) const MARGIN: Duration = Duration::from_secs(10);

/// What runs as the workers of a pool, and how.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Beside this process's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// At first.
    pub workers: usize,
    /// Of the workers; one of them without a heartbeat means hung.
    pub lease: Duration,
    /// The workers' own grace when they stop.
    pub grace: Duration,
    pub restart: Restart,
    pub recycle: Recycle,
    /// Of each worker with all that it starts.
    pub limits: Limits,
}

/// How a worker ended at shutdown.
#[derive(Clone, Debug)]
pub struct StoppedWorker {
    pub worker: ProcessId,
    pub pid: u32,
    /// For people.
    pub how: String,
    /// It did not leave in time.
    pub killed: bool,
    /// It left by itself and said that all is well.
    pub clean: bool,
}

/// The workers of one pool. [`Self::run`] does the work; the other methods tell it what is wanted, from
/// anywhere.
pub struct Supervisor {
    /// As workers that start now get it.
    pool: RwLock<Arc<PoolSpec>>,
    pub(super) store: Arc<dyn PoolStore>,
    pub(super) path: Arc<dyn Reclaim>,
    pub(super) snapshots: watch::Sender<Snapshot>,
    replicas: Mutex<Replicas>,
    added: mpsc::UnboundedSender<Replica>,
    additions: tokio::sync::Mutex<mpsc::UnboundedReceiver<Replica>>,
    /// Entries on their way into the journal.
    pub(super) outbox: Outbox,
    /// When each event was last written as an alert.
    pub(super) alerted: Mutex<HashMap<Event, Instant>>,
}

impl Supervisor {
    pub fn new(pool: PoolSpec, store: Arc<dyn PoolStore>, path: Arc<dyn Reclaim>) -> Self {
        let (added, additions) = mpsc::unbounded_channel();
        let workers = pool.workers;
        let this = Self {
            pool: RwLock::new(Arc::new(pool)),
            store,
            path,
            snapshots: watch::Sender::new(None),
            replicas: Mutex::default(),
            added,
            additions: additions.into(),
            outbox: Outbox::default(),
            alerted: Mutex::default(),
        };
        this.start(workers);
        this
    }

    /// How many replicas wait for a worker to start, and for what.
    pub fn waiting(&self) -> Option<(u32, String)> {
        let waiting = self.lock_replicas().waiting();
        // The one that starts last; those that wait for an operator come after all others.
        let last = waiting.iter().max_by_key(|waits| (waits.until.is_none(), waits.until))?;
        let next = last.until.map(|until| until.saturating_duration_since(Instant::now()));
        let next = next.map(|wait| format!("; the next start is in {}s", wait.as_secs())).unwrap_or_default();
        let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        Some((count, format!("{}{next}", last.why)))
    }

    pub fn pool(&self) -> Arc<PoolSpec> {
        Arc::clone(&self.pool.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Workers that start from now on are started so. Those that run stay as they are.
    pub fn replace_spec(&self, pool: PoolSpec) {
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pool);
    }

    /// Has the workers that run read what they can of their configuration again, and reopen their logs.
    pub fn reload_workers(&self) {
        self.lock_replicas().controls().iter().for_each(|controls| controls.reload.notify_one());
    }

    /// All replicas, oldest first.
    pub fn replicas(&self) -> Vec<ReplicaStatus> {
        self.lock_replicas().replicas()
    }

    /// Whether this was one of these workers and its process has ended. The registry may show it for a while
    /// yet.
    pub fn has_ended(&self, worker: ProcessId) -> bool {
        self.lock_replicas().has_ended(worker)
    }

    /// What the registry last showed of this pool's workers. `None` while the store does not answer.
    pub fn seen(&self) -> Option<Vec<WorkerInfo>> {
        let snapshot = self.snapshots.borrow().clone()?;
        Some(self.replicas().iter().filter_map(|replica| snapshot.get(&replica.worker).cloned()).collect())
    }

    /// Starts so many more.
    pub fn start(&self, count: usize) {
        for _ in 0..count {
            self.add(
                Restarts::new(self.pool().restart.clone()),
                NextStart::After(Duration::ZERO, WaitReason::Policy),
            );
        }
    }

    /// Lets workers finish what they run and leave; they are not replaced.
    pub fn drain(&self, workers: &[ProcessId]) {
        self.lock_replicas().controls_of(workers).iter().for_each(|controls| controls.leave.cancel());
    }

    /// Ends workers now, also those that drain; those that do not drain are replaced.
    pub fn replace(&self, workers: &[ProcessId]) {
        self.lock_replicas().controls_of(workers).iter().for_each(|controls| controls.replace.notify_one());
    }

    /// Starts every worker that is down, and forgets why.
    pub fn restart(&self) {
        self.lock_replicas().waiting_controls().iter().for_each(|controls| controls.restart.notify_one());
    }

    /// Runs the workers, replaces those that die or hang, and returns how each ended once `shutdown` has
    /// fired. Dropping the future kills them all. One call at a time has an effect.
    pub async fn run(&self, shutdown: &Shutdown) -> Vec<StoppedWorker> {
        let left = tokio::select! {
            left = self.run_replicas(shutdown) => left,
            never = self.observe() => match never {},
        };
        let _ = timeout(MARGIN, self.outbox.empty(self.store.as_ref())).await;
        left
    }

    async fn run_replicas(&self, shutdown: &Shutdown) -> Vec<StoppedWorker> {
        let mut additions = self.additions.lock().await;
        let mut running = FuturesUnordered::new();
        let mut stopped = Vec::new();
        loop {
            tokio::select! {
                biased;
                Some(replica) = additions.recv() => running.push(self.run_replica(replica, shutdown)),
                Some(left) = running.next() => if shutdown.drain.is_cancelled() {
                    stopped.extend(left);
                },
                () = shutdown.drain.cancelled(), if running.is_empty() => return stopped,
            }
        }
    }

    async fn observe(&self) -> Infallible {
        let up =
            || self.replicas().iter().filter(|replica| replica.up).map(|replica| replica.worker).collect();
        let pool = self.pool();
        let looking =
            heartbeats::watch_registry(self.store.as_ref(), &pool.name, pool.lease, &self.snapshots, up);
        tokio::join!(looking, self.watch_restart_requests(), self.outbox.deliver(self.store.as_ref())).0
    }

    /// Restarts what is down when an operator's note asks for it.
    async fn watch_restart_requests(&self) {
        let name = format!("{RESTART}{}", self.pool().name);
        let mut snapshots = self.snapshots.subscribe();
        while snapshots.changed().await.is_ok() {
            let waits = !self.lock_replicas().waiting_controls().is_empty();
            if waits && self.store.erase_note(&name).await.is_ok_and(|asked| asked) {
                tracing::info!(pool = self.pool().name, "an operator asked for a restart of what is down");
                self.restart();
            }
        }
    }

    pub(super) fn add(&self, history: Restarts, next_start: NextStart) {
        let (number, controls) = self.lock_replicas().add();
        // Fails only when this is being dropped.
        let _ = self.added.send(Replica { number, controls, history, next_start });
    }

    pub(super) fn lock_replicas(&self) -> MutexGuard<'_, Replicas> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
