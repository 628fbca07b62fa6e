//! What `up` and `autoscaler` share: the configuration's pools, their drivers, and who keeps them.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use futures::future::join_all;

use super::{Globals, failure::Failure, serve};
use crate::{
    autoscale::{
        Plan,
        control::{Autoscaler, Kept},
        driver::{Driver, Processes, open},
    },
    broker::Broker,
    config::{self, Config, PoolDriver},
    store::Store,
    supervise::{Children, Limits, Pool, Recycle, Shutdown},
    task::WorkerId,
};

/// The pools of a configuration, ready to be kept.
pub(super) struct Keeping {
    autoscaler: Autoscaler<dyn Store>,
    /// Of the pools whose workers are children of this process.
    processes: Vec<Arc<Processes>>,
}

impl Keeping {
    pub(super) fn new(
        globals: &Globals,
        config: &Config,
        broker: Arc<dyn Broker>,
        store: Arc<dyn Store>,
        shutdown: &Shutdown,
    ) -> Result<Self, Failure> {
        let this = std::env::current_exe()?;
        let (mut pools, mut processes) = (Vec::new(), Vec::new());
        for pool in &config.pools {
            let local = || -> Arc<dyn Driver> {
                let template = template(globals, config, pool, this.clone());
                let children = Children::new(template, store.clone(), broker.clone());
                let own = Arc::new(Processes::new(children, shutdown));
                processes.push(Arc::clone(&own));
                own
            };
            let driver = open(pool, config.worker.grace, local)
                .map_err(|error| serve::unfit(format_args!("{}: {error}", error.code())))?;
            pools.push(Kept { plan: Plan::new(config, pool), driver, own: pool.driver == PoolDriver::Process });
        }
        Ok(Self { autoscaler: Autoscaler { pools, broker, store, me: WorkerId::new() }, processes })
    }

    /// Keeps the pools until this process is told to end, and returns when its workers have left.
    pub(super) async fn run(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        let workers = join_all(self.processes.iter().map(|processes| processes.run()));
        tokio::join!(self.autoscaler.run(&shutdown.drain), workers);
        serve::asked_for(&shutdown.drain, "the autoscaler")
    }

    /// The same without changing anything.
    pub(super) async fn watch(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        self.autoscaler.watch(&shutdown.drain).await;
        serve::asked_for(&shutdown.drain, "the autoscaler")
    }
}

/// What to start for a pool. Workers read the same configuration file; what this process changed reaches them through
/// their environment.
fn template(globals: &Globals, config: &Config, pool: &config::Pool, this: PathBuf) -> Pool {
    let mut command = pool.command.iter();
    let (program, args) = match command.next() {
        Some(program) => (program.into(), command.map(OsString::from).collect()),
        None => (this, vec!["worker".into()]),
    };
    Pool {
        name: pool.name.clone(),
        program,
        args,
        env: environment(globals, config, pool),
        workers: 0,
        lease: config.worker.lease,
        grace: config.worker.grace + config.worker.stop_grace,
        restart: pool.restart.clone(),
        recycle: Recycle { max_tasks: pool.max_tasks, max_memory: pool.max_memory.map(|size| size.as_u64()) },
        limits: Limits { memory: pool.limits.memory.map(|size| size.as_u64()), processes: pool.limits.processes },
    }
}

fn environment(globals: &Globals, config: &Config, pool: &config::Pool) -> Vec<(OsString, OsString)> {
    let changes = globals.set.iter().filter_map(|change| config::as_variable(change));
    let mut env: Vec<(OsString, OsString)> = changes.map(|(name, value)| (name.into(), value.into())).collect();
    let mut set = |key: &str, value: OsString| {
        env.push((format!("CLAWPOOL__{}", key.replace('.', "__").to_uppercase()).into(), value))
    };
    if let Some(slots) = pool.slots {
        set("worker.slots", slots.to_string().into());
    }
    if let Some(reserved) = pool.reserved {
        set("worker.reserved", reserved.to_string().into());
    }
    if pool.queues.is_some() || !pool.kinds.is_empty() {
        let names: Vec<String> = config.served(pool).iter().map(|queue| format!("{:?}", queue.name())).collect();
        set("worker.queues", format!("[{}]", names.join(", ")).into());
    }
    if let Some(file) = &globals.config {
        env.push(("CLAWPOOL_CONFIG".into(), file.into()));
    }
    env
}
