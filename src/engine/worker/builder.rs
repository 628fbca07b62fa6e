use std::{future::Future, path::Path, sync::Arc};

use super::{Context, Function, Handler, Registry, WorkerError, identity::Identity, run};
use crate::process::{POOL_ENV, Shutdown, SupervisedStderr, WORKER_ENV, stdin_closed};
use clawpool_core::{
    config::Config,
    task::{BadPattern, Failure, ProcessId},
};
use serde::{Serialize, de::DeserializeOwned};

/// The version of a worker's program, where that does not say it.
const VERSION_ENV: &str = "CLAWPOOL_WORKER_VERSION";

/// A worker process in the making: `Worker::builder().handler("email.send", send_email).run().await`.
pub struct Worker;

impl Worker {
    /// A worker without handlers, of pool `default`.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::default()
    }
}

/// What a worker is to run, and as what.
#[derive(Default)]
pub struct WorkerBuilder {
    config: Option<Config>,
    registry: Registry,
    bad_pattern: Option<BadPattern>,
    id: Option<ProcessId>,
    pool: Option<String>,
    version: Option<String>,
    shutdown: Option<Shutdown>,
}

impl WorkerBuilder {
    /// The configuration to use, in place of the one that `CLAWPOOL_CONFIG` names.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Runs tasks of `kind`, or of every kind that it matches as a
    /// [`KindPattern`](clawpool_core::task::KindPattern), with an async function of the context and the
    /// payload.
    #[must_use]
    pub fn handler<F, Fut, T, R>(self, kind: impl Into<String>, function: F) -> Self
    where
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Failure>> + Send + 'static,
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
    {
        self.handler_object(kind, Arc::new(Function::new(function)))
    }

    /// The same for a type of one's own that implements [`Handler`].
    #[must_use]
    pub fn handler_object(mut self, kind: impl Into<String>, handler: Arc<dyn Handler>) -> Self {
        match kind.into().try_into() {
            Ok(pattern) => self.registry.add(pattern, handler),
            Err(bad) => self.bad_pattern = Some(bad),
        }
        self
    }

    /// The identity that a supervisor gave this process; else `CLAWPOOL_WORKER_ID`, else a new one.
    #[must_use]
    pub fn id(mut self, id: ProcessId) -> Self {
        self.id = Some(id);
        self
    }

    /// The pool's name in listings; else `CLAWPOOL_POOL`, else `default`.
    #[must_use]
    pub fn pool(mut self, pool: impl Into<String>) -> Self {
        self.pool = Some(pool.into());
        self
    }

    /// The version of the program, in listings and figures; else `CLAWPOOL_WORKER_VERSION`, else that of this
    /// library.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Stops the worker, in place of the signals and the supervisor's pipe that `run` otherwise obeys.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = Some(shutdown);
        self
    }

    /// Works until told to stop (SIGTERM, Ctrl-C, the supervisor's closed pipe, `workers drain`), then
    /// drains: takes nothing new, lets running tasks finish within `worker.grace`, gives the rest back
    /// without an attempt.
    pub async fn run(self) -> Result<(), WorkerError> {
        if let Some(bad) = self.bad_pattern {
            return Err(bad.into());
        }
        let config = match self.config {
            Some(config) => config,
            None => Config::load(std::env::var_os("CLAWPOOL_CONFIG").as_ref().map(Path::new), &[])?,
        };
        let id =
            self.id.or_else(|| std::env::var(WORKER_ENV).ok()?.parse().ok()).unwrap_or_else(ProcessId::new);
        let pool = self.pool.or_else(|| std::env::var(POOL_ENV).ok()).unwrap_or_else(|| "default".into());
        let shutdown = match self.shutdown {
            Some(shutdown) => shutdown,
            None => listen()?,
        };
        let version = self
            .version
            .or_else(|| std::env::var(VERSION_ENV).ok())
            .unwrap_or_else(|| Identity::LIBRARY_VERSION.to_owned());
        run::run(config, self.registry, Identity { id, pool, version }, shutdown).await
    }
}

fn listen() -> std::io::Result<Shutdown> {
    let shutdown = Shutdown::on_signals()?;
    if std::env::var_os(WORKER_ENV).is_some() {
        // A supervisor holds the other end of standard input: when it goes, so does this worker.
        let drain = shutdown.drain.clone();
        let stderr = SupervisedStderr::hold();
        tokio::spawn(async move {
            stdin_closed().await;
            stderr.outlive_supervisor();
            drain.cancel();
        });
    }
    Ok(shutdown)
}
