use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use serde::{Deserialize, de::IgnoredAny};

use super::ledger::{Pen, What};
use crate::cli::{Globals, failure::Failure as CliFailure, role};

use clawpool_core::{
    config::{Config, Part},
    task::{ErrorClass, Failure},
};
use clawpool_engine::worker::{Context, Worker};

/// The demo's worker process
#[derive(Debug, Args)]
pub(in crate::cli) struct DemoWorker {
    ledger: PathBuf,
}

/// What a demo task asks for.
#[derive(Debug, Deserialize)]
struct Step {
    /// How long to work.
    #[serde(default)]
    ms: u64,
    /// How many attempts fail first.
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    fatal: bool,
}

impl DemoWorker {
    pub(in crate::cli) async fn run(self, globals: &Globals) -> Result<(), CliFailure> {
        let reloader = role::configure(globals, &[Part::Log], |_| ())?;
        let config = Config::clone(&reloader.live().now());
        let pen = Arc::new(Pen::new(&self.ledger)?);
        let mut builder = Worker::builder();
        for (kind, handler) in clawpool_handlers::from_config(&config).map_err(role::unfit)? {
            builder = builder.handler_object(kind, handler);
        }
        for kind in ["voice.*", "user.*", "llm.*", "browser.*", "email.*", "background.*"] {
            let pen = Arc::clone(&pen);
            builder = builder
                .handler(kind, move |context: Context, step: Step| work(Arc::clone(&pen), context, step));
        }
        let builder = builder
            .handler("demo.poison", move |context: Context, _: IgnoredAny| poison(Arc::clone(&pen), context));
        builder
            .config(config)
            .run()
            .await
            .map_err(|error| CliFailure::failed(format_args!("{}: {error}", error.code())))
    }
}

async fn work(pen: Arc<Pen>, context: Context, step: Step) -> Result<(), Failure> {
    note(&pen, &context, What::Start)?;
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(step.ms)) => {}
        () = context.cancelled().cancelled() => return Err(Failure::new(ErrorClass::Other, "told to stop")),
    }
    if step.fatal {
        return Err(Failure::new(ErrorClass::Validation, "no page has such an address"));
    }
    if context.attempt() <= step.failures {
        let limited = Failure::new(ErrorClass::RateLimit, "too many requests");
        return Err(limited.retry_after(Duration::from_millis(500)));
    }
    note(&pen, &context, What::Done)
}

/// Takes the whole process down, as a bug in a native library would.
async fn poison(pen: Arc<Pen>, context: Context) -> Result<(), Failure> {
    note(&pen, &context, What::Start)?;
    std::process::abort()
}

fn note(pen: &Pen, context: &Context, what: What) -> Result<(), Failure> {
    pen.note(&context.task, what)
        .map_err(|error| Failure::new(ErrorClass::FileSystem, format!("the ledger: {error}")))
}
