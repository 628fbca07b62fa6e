//! The configuration's pools, their drivers, and the autoscaler that keeps them.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use futures::future::join_all;
use tokio::sync::watch;

use super::error::{AppError, asked_for};
use crate::{
    autoscale::{
        Plan,
        control::{Autoscaler, ManagedPool},
        driver::{Driver, Processes, open},
    },
    supervise::{PoolSpec, Recycle, Supervisor},
};
use clawpool_backends::{path::Servers, store::Store};
use clawpool_core::{
    config::{self, Config, PoolDriver},
    task::ProcessId,
};
use clawpool_engine::{
    live::Live,
    process::{Limits, Shutdown},
};

/// What runs as a worker of a pool that names no command.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// The file, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<OsString>,
    /// What it needs to read the same configuration as this process; the pool's own settings come after it.
    pub env: Vec<(OsString, OsString)>,
}

/// The pools of a configuration, ready to be kept.
pub struct Pools {
    autoscaler: Autoscaler<dyn Store>,
    /// Of the pools whose workers are children of this process.
    processes: Vec<Arc<Processes>>,
    worker: WorkerProgram,
    live: Live,
}

impl Pools {
    /// Opens the driver of each pool. Fails with [`AppError::Configuration`] where one is not fit for use.
    pub fn new(
        worker: &WorkerProgram,
        live: impl Into<Live>,
        servers: &Servers,
        shutdown: &Shutdown,
    ) -> Result<Self, AppError> {
        let live = live.into();
        let config = &*live.now();
        let mut pools = Vec::new();
        let mut processes = Vec::new();
        for pool in &config.pools {
            let local = || -> Arc<dyn Driver> {
                let template = template(worker, config, pool);
                let supervisor = Supervisor::new(
                    template,
                    Arc::clone(&servers.store) as _,
                    Arc::clone(&servers.path) as _,
                );
                let own = Arc::new(Processes::new(supervisor, shutdown));
                processes.push(Arc::clone(&own));
                own
            };
            let driver = open(pool, config.worker.grace, local)
                .map_err(|error| AppError::unfit(format_args!("{}: {error}", error.code())))?;
            pools.push(ManagedPool {
                plan: watch::Sender::new(Plan::new(config, pool)),
                driver,
                own: pool.driver == PoolDriver::Process,
            });
        }
        let Servers { broker, store, .. } = servers.clone();
        let autoscaler = Autoscaler { pools, broker, store, me: ProcessId::new() };
        Ok(Self { autoscaler, processes, worker: worker.clone(), live })
    }

    /// Keeps the pools until this process is told to end, and returns when its workers have left.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), AppError> {
        let workers = join_all(self.processes.iter().map(|processes| processes.run()));
        let following = shutdown.drain.run_until_cancelled(self.follow());
        tokio::join!(self.autoscaler.run(&shutdown.drain), workers, following);
        asked_for(&shutdown.drain, "the autoscaler")
    }

    /// The same without changing anything.
    pub async fn watch(&self, shutdown: &Shutdown) -> Result<(), AppError> {
        let following = shutdown.drain.run_until_cancelled(self.follow());
        tokio::join!(self.autoscaler.watch(&shutdown.drain), following);
        asked_for(&shutdown.drain, "the autoscaler")
    }

    /// Takes over each configuration that comes: sizes and policies at once, all else for workers that start
    /// later. Those that run reopen their logs.
    async fn follow(&self) {
        let mut live = self.live.clone();
        loop {
            let config = live.changed().await;
            self.take_over(&config);
        }
    }

    fn take_over(&self, config: &Config) {
        for pool in &config.pools {
            let kept = self.autoscaler.pools.iter().find(|kept| kept.plan.borrow().pool == pool.name);
            if let Some(kept) = kept {
                let plan = Plan::new(config, pool);
                kept.plan.send_if_modified(|before| {
                    let is_new = *before != plan;
                    *before = plan;
                    is_new
                });
            }
            let own = self.processes.iter().map(|own| own.supervisor());
            if let Some(supervisor) = own.into_iter().find(|own| own.pool().name == pool.name) {
                supervisor.replace_spec(template(&self.worker, config, pool));
                supervisor.reload_workers();
            }
        }
    }
}

/// What to start for a pool.
fn template(worker: &WorkerProgram, config: &Config, pool: &config::Pool) -> PoolSpec {
    let mut command = pool.command.iter();
    let (program, args) = match command.next() {
        Some(program) => (program.into(), command.map(OsString::from).collect()),
        None => (worker.program.clone(), worker.args.clone()),
    };
    let recycle =
        Recycle { max_tasks: pool.max_tasks, max_memory: pool.max_memory.map(|size| size.as_u64()) };
    let limits =
        Limits { memory: pool.limits.memory.map(|size| size.as_u64()), processes: pool.limits.processes };
    PoolSpec {
        name: pool.name.clone(),
        program,
        args,
        env: environment(worker, config, pool),
        workers: 0,
        lease: config.worker.lease,
        grace: config.worker.grace + config.worker.stop_grace,
        restart: pool.restart.clone(),
        recycle,
        limits,
    }
}

fn environment(worker: &WorkerProgram, config: &Config, pool: &config::Pool) -> Vec<(OsString, OsString)> {
    let mut env = worker.env.clone();
    let mut set = |key: &str, value: String| env.push((config::variable(key).into(), value.into()));
    if let Some(slots) = pool.slots {
        set("worker.slots", slots.to_string());
    }
    if let Some(reserved) = pool.reserved {
        set("worker.reserved", reserved.to_string());
    }
    if pool.queues.is_some() || !pool.kinds.is_empty() {
        let names: Vec<String> =
            config.patterns_of(pool).iter().map(|pattern| format!("{:?}", pattern.as_str())).collect();
        set("worker.queues", format!("[{}]", names.join(", ")));
    }
    env
}
