use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{
    Globals, config,
    failure::{Exit, Failure},
    output::{age, dash, fields, moment, plain, span, table, word},
};
use clawpool_backends::store::{self, StoreError, WorkerInfo};
use clawpool_core::config::Config;
use clawpool_engine::client::health::{HealthMetrics, HealthView, LoopsView, Status};
use clawpool_server::autoscale::control::{host, live_autoscalers};

/// A probe gives up after some seconds itself; this comes before it.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether the dispatcher, its servers, its loops and what [[probes]] names are well; exit code 1 when not
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Ask the store whether it hears from a worker or an autoscaler of this host: for the health check of a
    /// container
    #[arg(long)]
    here: bool,
    /// Ask whether the dispatcher takes tasks, and nothing else: for the health check of its container
    #[arg(long, conflicts_with = "here")]
    ready: bool,
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
        if self.ready {
            return ready(globals).await;
        }
        let view = globals.client()?.health().await?;
        globals.output().show(&view, details)?;
        match view.status {
            Status::Healthy => Ok(()),
            Status::Starting | Status::Degraded | Status::Unhealthy => Err(Failure::negative()),
        }
    }
}

async fn ready(globals: &Globals) -> Result<(), Failure> {
    let view = globals.client()?.ready().await?;
    globals.output().show(&view, |view| {
        let reasons: Vec<String> = view.reasons.iter().map(|reason| plain(reason, 400)).collect();
        let word = if view.ready { "yes" } else { "no" };
        fields([
            ("ready", Some(word.to_owned())),
            ("reasons", (!reasons.is_empty()).then(|| reasons.join("; "))),
        ])
    })?;
    if view.ready { Ok(()) } else { Err(Failure::negative()) }
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

pub(super) fn details(view: &HealthView) -> String {
    let reasons = view.reasons.iter().map(|reason| {
        let text = plain(reason.text.as_deref().unwrap_or("in trouble"), 400);
        format!("{}: {text} ({})", plain(&reason.subject, 64), reason.code)
    });
    let reasons: Vec<String> = reasons.collect();
    let metrics = view.metrics.as_ref();
    let percent = |of: fn(&HealthMetrics) -> Option<f64>| metrics.and_then(of).map(|it| format!("{it} %"));
    let summary = fields([
        ("status", Some(format!("{:?}", view.status).to_lowercase())),
        ("reasons", (!reasons.is_empty()).then(|| reasons.join("; "))),
        ("waiting for", view.waiting_for.as_deref().map(|server| plain(server, 80))),
        ("ready tasks", metrics.and_then(|metrics| metrics.queue_depth).map(|ready| ready.to_string())),
        ("connections", metrics.map(|metrics| metrics.active_connections.to_string())),
        ("cpu", percent(|metrics| metrics.cpu_percent)),
        ("memory", percent(|metrics| metrics.memory_percent)),
        ("disk", percent(|metrics| metrics.disk_percent)),
        ("loops", view.loops.as_ref().map(turning)),
        ("version", Some(plain(&view.version, 40))),
        ("instance", Some(plain(&view.instance_id, 80))),
        ("time", Some(moment(view.timestamp))),
        ("looked", view.age_ms.map(|age| format!("{} before", span(Duration::from_millis(age))))),
    ]);
    format!("{summary}\n{}\n", services(view))
}

fn turning(loops: &LoopsView) -> String {
    let stuck =
        if loops.stuck.is_empty() { String::new() } else { format!(": not {}", loops.stuck.join(", ")) };
    format!("{} of {} turn{stuck}", loops.healthy, loops.running)
}

/// Servers and what the probes look at, a line each.
fn services(view: &HealthView) -> String {
    let row = |(name, state): (&String, &String)| {
        let probe = view.probes.iter().find(|probe| probe.name == *name);
        let layer = dash(probe.map(|probe| word(&probe.layer)));
        let took = dash(probe.and_then(|probe| probe.took_ms).map(|took| format!("{took}ms")));
        let ago = dash(probe.and_then(|probe| probe.checked_at).map(age));
        [plain(name, 64), layer, took, ago, plain(state, 400)]
    };
    table(["SERVICE", "LAYER", "TOOK", "LOOKED", "STATE"], view.services.iter().map(row))
}
