use clap::Args;

use super::{Globals, doctor, failure::Failure, role};
use clawpool_core::config::Part;
use clawpool_engine::process::Shutdown;
use clawpool_server::app;

/// Run a dispatcher: HTTP and AMQP entrances, and the maintenance of due and dead tasks
///
/// Any number may run on one cluster; one of them leads, and another takes over when it dies.
#[derive(Debug, Args)]
pub(super) struct Dispatcher {
    /// Serve HTTP here, in place of api.listen
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
}

impl Dispatcher {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let globals =
            globals.with([("api.listen", self.listen.map(|listen| format!("{:?}", listen.to_string())))]);
        let reloader = role::configure(&globals, &[Part::Log, Part::Dispatcher], |_| ())?;
        let shutdown = Shutdown::on_signals()?;
        let dispatcher = app::Dispatcher::open(reloader.live().clone(), &shutdown).await?;
        let dispatcher = dispatcher.with_reloader(reloader).with_doctor(doctor::examiner(&globals));
        Ok(dispatcher.run(&shutdown.drain).await?)
    }
}
