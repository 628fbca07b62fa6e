use clap::Args;

use super::{Globals, failure::Failure, role};

use clawpool_core::config::{Config, Part};
use clawpool_engine::worker;

/// Run one worker process with the handlers of the configuration
#[derive(Debug, Args)]
pub(super) struct Worker {
    /// The pool that it belongs to, in listings
    #[arg(long, env = "CLAWPOOL_POOL", default_value = "default")]
    pool: String,
}

impl Worker {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let reloader = role::configure(globals, &[Part::Log], |_| ())?;
        let config = reloader.live().now();
        let mut builder = worker::Worker::builder().pool(self.pool);
        for (kind, handler) in clawpool_handlers::from_config(&config).map_err(role::unfit)? {
            builder = builder.handler_object(kind, handler);
        }
        builder
            .config(Config::clone(&config))
            .run()
            .await
            .map_err(|error| Failure::failed(format_args!("{}: {error}", error.code())))
    }
}
