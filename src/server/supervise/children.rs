//! Keeps the worker processes of one pool running, as many as it is told.

#[cfg(test)]
#[cfg(unix)]
pub(super) mod tests;

use std::{
    collections::HashMap,
    convert::Infallible,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

use super::{
    beats::{self, Look},
    journal::RESTART,
    place::Place,
    recycle::Recycle,
    restart::{Restarts, Verdict, Why},
    roster::{Member, Roster},
};
use clawpool_backends::{
    broker::Broker,
    store::{PoolStore, WorkerInfo},
};
use clawpool_core::{config::Restart, task::WorkerId};
use clawpool_engine::{
    alert::{Event, Outbox},
    process::{Limits, Shutdown},
};

/// Beyond its own grace, for a stopping worker to settle what it gave back.
pub(super) const MARGIN: Duration = Duration::from_secs(10);

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Pool {
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
pub struct Left {
    pub worker: WorkerId,
    pub pid: u32,
    /// For people.
    pub how: String,
    /// It did not leave in time.
    pub killed: bool,
    /// It left by itself and said that all is well.
    pub clean: bool,
}

/// The workers of one pool. [`Self::keep`] does the work; the other methods tell it what is wanted, from anywhere.
pub struct Children {
    pub(super) pool: Pool,
    pub(super) store: Arc<dyn PoolStore>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) looks: watch::Sender<Look>,
    roster: Mutex<Roster>,
    opened: mpsc::UnboundedSender<Place>,
    openings: tokio::sync::Mutex<mpsc::UnboundedReceiver<Place>>,
    /// What the journal is to have.
    pub(super) outbox: Outbox,
    /// When people were last told of a fault.
    pub(super) told: Mutex<HashMap<Event, Instant>>,
}

impl Children {
    pub fn new(pool: Pool, store: Arc<dyn PoolStore>, broker: Arc<dyn Broker>) -> Self {
        let (opened, openings) = mpsc::unbounded_channel();
        let this = Self {
            pool,
            store,
            broker,
            looks: watch::Sender::new(None),
            roster: Mutex::default(),
            opened,
            openings: openings.into(),
            outbox: Outbox::default(),
            told: Mutex::default(),
        };
        this.start(this.pool.workers);
        this
    }

    /// How many places have no worker, though they should, and what for.
    pub fn waiting(&self) -> Option<(u32, String)> {
        let waiting = self.roster().waiting();
        // The one that comes last; those that only a person brings come after all others.
        let last = waiting.iter().max_by_key(|waits| (waits.until.is_none(), waits.until))?;
        let next = last.until.map(|until| until.saturating_duration_since(Instant::now()));
        let next = next.map(|wait| format!("; the next start is in {}s", wait.as_secs())).unwrap_or_default();
        let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        Some((count, format!("{}{next}", last.why)))
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Everybody, in the order of their places.
    pub fn members(&self) -> Vec<Member> {
        self.roster().members()
    }

    /// Whether this was one of these workers and its process has ended. The registry may show it for a while yet.
    pub fn has_ended(&self, worker: WorkerId) -> bool {
        self.roster().has_ended(worker)
    }

    /// What the registry last showed of this pool's workers. `None` while the store does not answer.
    pub fn seen(&self) -> Option<Vec<WorkerInfo>> {
        let look = self.looks.borrow().clone()?;
        Some(self.members().iter().filter_map(|member| look.get(&member.worker).cloned()).collect())
    }

    /// Starts so many more.
    pub fn start(&self, count: usize) {
        for _ in 0..count {
            self.open(Restarts::new(self.pool.restart.clone()), Verdict::After(Duration::ZERO, Why::Policy));
        }
    }

    /// Lets workers finish what they run and leave; nobody comes after them.
    pub fn drain(&self, workers: &[WorkerId]) {
        self.roster().orders_of(workers).iter().for_each(|orders| orders.leave.cancel());
    }

    /// Ends workers now, also those that drain; others take the places of those that do not.
    pub fn replace(&self, workers: &[WorkerId]) {
        self.roster().orders_of(workers).iter().for_each(|orders| orders.replace.notify_one());
    }

    /// Starts whatever is down, and forgets why.
    pub fn restart(&self) {
        self.roster().orders_of_waiting().iter().for_each(|orders| orders.restart.notify_one());
    }

    /// Runs the workers, replaces those that die or hang, and returns how each ended once `shutdown` has fired. Dropping
    /// the future kills them all. One call at a time has an effect.
    pub async fn keep(&self, shutdown: &Shutdown) -> Vec<Left> {
        let left = tokio::select! {
            left = self.keep_places(shutdown) => left,
            never = self.observe() => match never {},
        };
        let _ = timeout(MARGIN, self.outbox.empty(self.store.as_ref())).await;
        left
    }

    async fn keep_places(&self, shutdown: &Shutdown) -> Vec<Left> {
        let mut openings = self.openings.lock().await;
        let (mut places, mut everybody) = (FuturesUnordered::new(), Vec::new());
        loop {
            tokio::select! {
                biased;
                Some(place) = openings.recv() => places.push(self.keep_place(place, shutdown)),
                Some(left) = places.next() => if shutdown.drain.is_cancelled() {
                    everybody.extend(left);
                },
                () = shutdown.drain.cancelled(), if places.is_empty() => return everybody,
            }
        }
    }

    async fn observe(&self) -> Infallible {
        let up = || self.members().iter().filter(|member| member.up).map(|member| member.worker).collect();
        let looking = beats::observe(self.store.as_ref(), &self.pool.name, self.pool.lease, &self.looks, up);
        tokio::join!(looking, self.heed(), self.outbox.deliver(self.store.as_ref())).0
    }

    /// Does what an operator asks for in a note.
    async fn heed(&self) {
        let name = format!("{RESTART}{}", self.pool.name);
        let mut looks = self.looks.subscribe();
        while looks.changed().await.is_ok() {
            let waits = !self.roster().orders_of_waiting().is_empty();
            if waits && self.store.erase_note(&name).await.is_ok_and(|asked| asked) {
                tracing::info!(pool = self.pool.name, "somebody asked for a restart of what is down");
                self.restart();
            }
        }
    }

    pub(super) fn open(&self, history: Restarts, verdict: Verdict) {
        let (number, orders) = self.roster().open();
        // Fails only when this is being dropped.
        let _ = self.opened.send(Place { number, orders, history, verdict });
    }

    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
