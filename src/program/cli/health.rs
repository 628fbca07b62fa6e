use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{
    Globals, config,
    failure::{Exit, Failure},
    output::{fields, moment, plain},
};
use clawpool_backends::store::{self, StoreError, WorkerInfo};
use clawpool_core::config::Config;
use clawpool_engine::client::view::{HealthView, Status};
use clawpool_server::autoscale::control::{host, live_autoscalers};

/// A probe gives up after some seconds itself; this comes before it.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether the dispatcher, its broker and its store are well; exit code 1 when not
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Ask the store whether it hears from a worker or an autoscaler of this host: for the health check of a
    /// container
    #[arg(long)]
    here: bool,
}

/// Who on this host is heard from.
#[derive(Serialize)]
struct Here {
    host: String,
    workers: Vec<String>,
    autoscalers: Vec<String>,
}

impl Health {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        if self.here {
            return here(globals).await;
        }
        let view = globals.client()?.health().await?;
        globals.output().show(&view, details)?;
        match view.status {
            Status::Healthy => Ok(()),
            Status::Starting | Status::Degraded | Status::Unhealthy => Err(Failure::negative()),
        }
    }
}

async fn here(globals: &Globals) -> Result<(), Failure> {
    let config = config::load(globals)?;
    let silent =
        |reason: String| Failure::new(Exit::Unreachable, format_args!("the store does not answer: {reason}"));
    let heard = tokio::time::timeout(PATIENCE, heard(&config)).await;
    let heard = heard.map_err(|_| silent(format!("nothing within {PATIENCE:?}")))?;
    let here = heard.map_err(|error| silent(format!("{}: {error}", error.code())))?;
    globals.output().show(&here, |here| {
        fields([
            ("host", Some(plain(&here.host, 80))),
            ("workers", Some(here.workers.join(" "))),
            ("autoscalers", Some(here.autoscalers.join(" "))),
        ])
    })?;
    if here.workers.is_empty() && here.autoscalers.is_empty() { Err(Failure::negative()) } else { Ok(()) }
}

async fn heard(config: &Config) -> Result<Here, StoreError> {
    let store = store::open(config).await?;
    let host = host();
    let here = |worker: &WorkerInfo| worker.alive && worker.beat.host == host;
    let workers =
        store.workers().await?.into_iter().filter(here).map(|worker| worker.beat.worker.to_string());
    let workers = workers.collect();
    let autoscalers = live_autoscalers(&*store, &host).await?;
    Ok(Here { host, workers, autoscalers })
}

fn details(view: &HealthView) -> String {
    let service = |name: &str| view.services.get(name).map(|state| plain(state, 400));
    let reasons = view.reasons.iter().map(|reason| {
        let text = plain(reason.text.as_deref().unwrap_or("in trouble"), 400);
        format!("{}: {text} ({})", plain(&reason.subject, 40), reason.code)
    });
    let reasons: Vec<String> = reasons.collect();
    fields([
        ("status", Some(format!("{:?}", view.status).to_lowercase())),
        ("reasons", (!reasons.is_empty()).then(|| reasons.join("; "))),
        ("waiting for", view.waiting_for.as_deref().map(|server| plain(server, 80))),
        ("broker", service("broker")),
        ("store", service("store")),
        ("version", Some(plain(&view.version, 40))),
        ("instance", Some(plain(&view.instance_id, 80))),
        ("time", Some(moment(view.timestamp))),
    ])
}
