use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{Globals, doctor, failure::Failure, role};
use clawpool_core::config::{self, Part};
use clawpool_engine::process::Shutdown;
use clawpool_server::app::{Dispatcher, Pools};

/// Run everything on this machine: dispatcher and worker processes, on one SQLite file
///
/// Ctrl-C drains: nothing new is taken, running tasks finish, then everything leaves. A second Ctrl-C leaves
/// at once; nothing is lost then either.
#[derive(Debug, Args)]
pub(super) struct Up {
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
        let workers = self.workers;
        let parts = [Part::Log, Part::Dispatcher, Part::Autoscaler];
        let reloader = role::configure(&globals, &parts, move |config| {
            if workers.is_some() || config.pools.is_empty() {
                config.pools = vec![default_pool(workers)];
            }
        })?;
        let shutdown = Shutdown::on_signals()?;
        let dispatcher = Dispatcher::open(reloader.live().clone(), &shutdown).await?;
        let dispatcher = dispatcher.with_reloader(Arc::clone(&reloader));
        let dispatcher = dispatcher.with_doctor(doctor::examiner(&globals));
        let program = role::worker_program(&globals)?;
        let pools = Pools::new(&program, reloader.live().clone(), &dispatcher.servers, &shutdown)?;
        // The dispatcher outlives the workers: what they give back may still need it.
        let served = shutdown.now.child_token();
        let workers = async {
            let kept = pools.run(&shutdown).await;
            served.cancel();
            kept
        };
        // Workers without a dispatcher would only look alive.
        let dispatcher = async {
            let result = dispatcher.run(&served).await;
            shutdown.drain.cancel();
            result
        };
        let (result, kept) = tokio::join!(dispatcher, workers);
        Ok(result.and(kept)?)
    }
}

/// Without a number one worker a core, two at least, so that one is at work after a crash; up to four a core.
fn default_pool(workers: Option<u32>) -> config::Pool {
    let cores = std::thread::available_parallelism()
        .map_or(2, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let min = cores.clamp(2, 8);
    let max = cores.saturating_mul(4).clamp(2, 32);
    let (min, max) = if workers.is_some() { (None, None) } else { (Some(min), Some(max)) };
    config::Pool { name: "default".into(), workers, min, max, ..config::Pool::default() }
}
