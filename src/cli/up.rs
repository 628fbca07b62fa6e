use std::{ffi::OsString, path::PathBuf};

use clap::Args;
use futures::future::join_all;

use super::{
    Globals,
    failure::Failure,
    serve::{self, Service},
};
use crate::{
    config::{self, Config},
    supervise::{Children, Pool, Recycle, Shutdown},
};

/// Run everything on this machine: dispatcher and worker processes, on one SQLite file
///
/// Ctrl-C drains: nothing new is taken, running tasks finish, then everything leaves. A second Ctrl-C leaves at once;
/// nothing is lost then either.
#[derive(Debug, Args)]
pub struct Up {
    /// The folder for the data; made when missing, in place of embedded.data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Serve HTTP here, in place of api.listen
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// Worker processes, in place of the configuration's pools
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
}

impl Up {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let globals = globals.with([
            ("embedded.data", self.data.map(|data| format!("{:?}", data.display().to_string()))),
            ("api.listen", self.listen.map(|listen| format!("{:?}", listen.to_string()))),
        ]);
        let mut config = serve::configure(&globals)?;
        if self.workers.is_some() || config.pools.is_empty() {
            config.pools = vec![default_pool(self.workers)];
        }
        let pools = pools(&globals, &config)?;
        let shutdown = Shutdown::on_signals()?;
        let service = Service::open(config, &shutdown).await?;
        let children: Vec<Children> =
            pools.into_iter().map(|pool| Children::new(pool, service.store.clone(), service.broker.clone())).collect();
        // The dispatcher outlives the workers: what they give back may still need it.
        let served = shutdown.now.child_token();
        let workers = async {
            join_all(children.iter().map(|pool| pool.keep(&shutdown))).await;
            served.cancel();
        };
        let (result, ()) = tokio::join!(service.run(&served), workers);
        result
    }
}

/// Without a wish one worker a core, two at least, so that a crash never leaves nobody at work; up to four a core.
fn default_pool(workers: Option<u32>) -> config::Pool {
    let cores = std::thread::available_parallelism().map_or(2, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let (min, max) = (cores.clamp(2, 8), cores.saturating_mul(4).clamp(2, 32));
    let (min, max) = if workers.is_some() { (None, None) } else { (Some(min), Some(max)) };
    config::Pool { name: "default".into(), workers, min, max, ..config::Pool::default() }
}

fn pools(globals: &Globals, config: &Config) -> Result<Vec<Pool>, Failure> {
    let this = std::env::current_exe()?;
    Ok(config.pools.iter().map(|pool| child_pool(globals, config, pool, this.clone())).collect())
}

/// What to start for a pool. Workers read the same configuration file; what this process changed reaches them through
/// their environment.
fn child_pool(globals: &Globals, config: &Config, pool: &config::Pool, this: PathBuf) -> Pool {
    let mut command = pool.command.iter();
    let (program, args) = match command.next() {
        Some(program) => (program.into(), command.map(OsString::from).collect()),
        None => (this, vec!["worker".into()]),
    };
    Pool {
        name: pool.name.clone(),
        program,
        args,
        env: environment(globals, pool),
        workers: pool.autoscale(&config.autoscale).min as usize,
        lease: config.worker.lease,
        grace: config.worker.grace + config.worker.stop_grace,
        restart: pool.restart.clone(),
        recycle: Recycle { max_tasks: pool.max_tasks, max_memory: pool.max_memory.map(|size| size.as_u64()) },
    }
}

fn environment(globals: &Globals, pool: &config::Pool) -> Vec<(OsString, OsString)> {
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
    if let Some(queues) = &pool.queues {
        let names: Vec<String> = queues.iter().map(|queue| format!("{:?}", queue.name())).collect();
        set("worker.queues", format!("[{}]", names.join(", ")).into());
    }
    if let Some(file) = &globals.config {
        env.push(("CLAWPOOL_CONFIG".into(), file.into()));
    }
    env
}
