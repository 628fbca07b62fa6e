//! Keeps the worker processes of one pool running.

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{convert::Infallible, ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Shutdown,
    beats::{self, Look},
    child::{Child, End},
    orphans,
    restart::Restarts,
};
use crate::{broker::Broker, store::WorkerStore, task::WorkerId};

/// Tells a supervised worker the id under which its supervisor knows it; it must register as that.
pub const WORKER_ENV: &str = "CLAWPOOL_WORKER_ID";
pub const POOL_ENV: &str = "CLAWPOOL_POOL";
/// Marks every program that a supervised worker's tasks start, so that none outlives a killed worker.
pub const OWNER_ENV: &str = "CLAWPOOL_OWNER";

/// Beyond its own grace, for a stopping worker to settle what it gave back.
const MARGIN: Duration = Duration::from_secs(10);
/// Whatever a dead worker's burial does not achieve by then is left to the steward, after the lease.
const BURIAL: Duration = Duration::from_secs(5);

/// What to run, and how often.
#[derive(Clone, Debug)]
pub struct Pool {
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Beside this process's own environment.
    pub env: Vec<(OsString, OsString)>,
    pub workers: usize,
    /// Of the workers; three of them without a heartbeat mean hung.
    pub lease: Duration,
    /// The workers' own grace when they stop.
    pub grace: Duration,
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

/// The workers of one pool.
pub struct Children {
    pool: Pool,
    store: Arc<dyn WorkerStore>,
    broker: Arc<dyn Broker>,
    looks: watch::Sender<Look>,
}

impl Children {
    pub fn new(pool: Pool, store: Arc<dyn WorkerStore>, broker: Arc<dyn Broker>) -> Self {
        Self { pool, store, broker, looks: watch::Sender::new(None) }
    }

    /// Starts the workers, replaces those that die or hang, and returns how each ended once `shutdown` has fired.
    /// Dropping the future kills them all.
    pub async fn keep(&self, shutdown: &Shutdown) -> Vec<Left> {
        let (known, _) = watch::channel(None);
        let places = join_all((0..self.pool.workers).map(|_| self.keep_place(shutdown, &known)));
        tokio::select! {
            left = places => left.into_iter().flatten().collect(),
            never = self.observe() => match never {},
        }
    }

    /// Finds the workers that hang, for those who keep them.
    pub async fn observe(&self) -> Infallible {
        beats::observe(self.store.as_ref(), self.pool.lease, &self.looks).await
    }

    /// Keeps one worker, and tells who it is.
    pub async fn keep_place(&self, shutdown: &Shutdown, known: &watch::Sender<Option<WorkerId>>) -> Option<Left> {
        let mut restarts = Restarts::default();
        while !shutdown.drain.is_cancelled() {
            let (dead, lived) = match Child::spawn(&self.pool) {
                Ok(mut child) => {
                    known.send_replace(Some(child.worker));
                    match child.live(self.looks.subscribe(), shutdown, self.pool.grace + MARGIN).await {
                        End::Left(left) => return Some(self.farewell(left).await),
                        End::Died { how, lived } => {
                            let worker = child.worker;
                            known.send_replace(None);
                            tracing::error!(pool = self.pool.name, %worker, "worker ended unasked: {how}");
                            (Some(worker), Some(lived))
                        }
                    }
                }
                Err(error) => {
                    self.cannot_start(&error);
                    (None, None)
                }
            };
            let wait = restarts.wait(lived, &mut rand::rng());
            let burial = async {
                if let Some(worker) = dead {
                    self.bury(worker).await;
                }
            };
            tokio::join!(burial, shutdown.drain.run_until_cancelled(sleep(wait)));
        }
        None
    }

    fn cannot_start(&self, error: &std::io::Error) {
        tracing::error!(
            pool = self.pool.name,
            program = %self.pool.program.display(),
            %error,
            "the worker program cannot be started; check the pool's command"
        );
    }

    async fn farewell(&self, left: Left) -> Left {
        tracing::info!(pool = self.pool.name, worker = %left.worker, killed = left.killed, "worker left: {}", left.how);
        if !left.clean {
            self.bury(left.worker).await;
        }
        left
    }

    /// Sends a dead worker's tasks back at once. Its programs are ended first, so that none runs twice at a time.
    async fn bury(&self, worker: WorkerId) {
        let killed = orphans::kill(worker).await;
        if killed > 0 {
            tracing::warn!(%worker, killed, "ended the programs that the worker left running");
        }
        match timeout(BURIAL, self.give_back(worker)).await {
            Ok(Ok(messages)) => tracing::info!(%worker, messages, "the worker's tasks are back on their queues"),
            Ok(Err(error)) => tracing::warn!(%worker, %error, "the worker's tasks go back when its lease ends"),
            Err(_) => {
                tracing::warn!(%worker, "no answer within {BURIAL:?}; the worker's tasks go back when its lease ends")
            }
        }
    }

    async fn give_back(&self, worker: WorkerId) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        self.store.bury(worker).await?;
        let messages = self.broker.reclaim(worker).await?;
        self.store.forget(worker).await?;
        Ok(messages)
    }
}
