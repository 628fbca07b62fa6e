use std::{
    fs::File,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterFn, filter_fn},
    fmt,
    layer::{Layered, SubscriberExt},
    reload,
    util::{SubscriberInitExt, TryInitError},
};

use super::{pretty::Fields, sink::Sink};
use clawpool_core::{
    config::{Log, LogFormat},
    private,
};
use clawpool_engine::worker::LogLayer;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log.filter: {filter:?} is not a filter ({reason}): write info, or clawpool=debug,lapin=warn")]
    Filter { filter: String, reason: String },
    #[error("log.file: {} cannot be written: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

/// What the format layer sits on.
type Filtered = Layered<FilterFn<Written>, Layered<reload::Layer<EnvFilter, Registry>, Registry>>;
type Written = fn(&Metadata<'_>) -> bool;

/// Libraries that speak to servers. In their finer lines they write what they send: passwords, tokens,
/// payloads.
const SPEAKERS: [&str; 18] = [
    "amq_protocol",
    "amq_protocol_tcp",
    "amq_protocol_uri",
    "async_rs",
    "bollard",
    "h2",
    "hyper",
    "hyper_util",
    "kube",
    "kube_client",
    "lapin",
    "native_tls",
    "redis",
    "reqwest",
    "rustls",
    "tcp_stream",
    "tokio_rustls",
    "tower_http",
];

/// A channel that RabbitMQ closed is told of by whoever used it, with what it was for. lapin calls it an
/// error also where a queue is only looked for.
const TOLD_BY_ITS_USER: &str = "lapin::channel";

/// What of this process's log can be changed.
struct Started {
    filter: reload::Handle<EnvFilter, Registry>,
    sink: Sink,
}

static STARTED: OnceLock<Started> = OnceLock::new();

/// Opens the files anew, and takes filter and rotation from these settings. Format and place of the log stay.
/// Does nothing where another program's subscriber has the log.
pub fn reopen_logs(log: &Log) -> Result<(), LogError> {
    let Some(started) = STARTED.get() else { return Ok(()) };
    let filter = filter(log, std::env::var("RUST_LOG").ok())?;
    started.sink.reopen(log)?;
    // Fails only when the log is gone.
    let _ = started.filter.reload(filter);
    Ok(())
}

/// Sends log lines where the configuration says. `RUST_LOG` wins over `log.filter`, so that one run can be
/// looked into without touching the configuration.
pub fn start_logs(log: &Log) -> Result<(), LogError> {
    let filter = filter(log, std::env::var("RUST_LOG").ok())?;
    let sink = Sink::open(log)?;
    let (filter, handle) = reload::Layer::new(filter);
    let subscriber = filtered(filter).with(layer(log, sink.clone())).with(LogLayer);
    #[cfg(windows)]
    let subscriber = subscriber.with(super::event_log::layer(log.event_source.as_deref()));
    let started = subscriber.try_init();
    // A test or an embedding program that logs already keeps its own subscriber.
    if let Err(error) = started as Result<(), TryInitError> {
        tracing::debug!(%error, "logs were started before");
    } else {
        let _ = STARTED.set(Started { filter: handle, sink });
    }
    Ok(())
}

fn filter(log: &Log, environment: Option<String>) -> Result<EnvFilter, LogError> {
    let filter = environment.filter(|text| !text.is_empty()).unwrap_or_else(|| log.filter.clone());
    EnvFilter::try_new(&filter).map_err(|error| LogError::Filter { filter, reason: error.to_string() })
}

/// No filter, however fine, brings a secret into the log (INV-10).
fn filtered(filter: reload::Layer<EnvFilter, Registry>) -> Filtered {
    Registry::default().with(filter).with(filter_fn(is_written as Written))
}

fn is_written(line: &Metadata<'_>) -> bool {
    let library = line.target().split("::").next().unwrap_or_default();
    let is_harmless = *line.level() <= Level::INFO || !SPEAKERS.contains(&library);
    is_harmless && line.target() != TOLD_BY_ITS_USER
}

fn layer(log: &Log, sink: Sink) -> Box<dyn Layer<Filtered> + Send + Sync> {
    let colour = log.file.is_none() && io::stderr().is_terminal();
    // A worker outlives the supervisor that read its lines; it must not mind.
    let layer = fmt::layer().with_ansi(colour).with_writer(sink).log_internal_errors(false);
    match log.format {
        LogFormat::Pretty => layer.fmt_fields(Fields).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// So that a restart keeps the lines that tell why it was needed.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private::folder(folder)?;
    }
    private::append(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_file() {
        let log = Log { filter: "info".into(), ..Log::default() };
        assert_eq!(filter(&log, Some("clawpool=trace".into())).unwrap().to_string(), "clawpool=trace");
        assert_eq!(filter(&log, None).unwrap().to_string(), "info");
        assert_eq!(filter(&log, Some(String::new())).unwrap().to_string(), "info");
    }

    #[test]
    fn faults_name_the_key_and_the_value() {
        let log = Log { filter: "clawpool=loud".into(), ..Log::default() };
        assert!(filter(&log, None).unwrap_err().to_string().contains("clawpool=loud"));
        let folder = tempfile::tempdir().unwrap();
        let log = Log { file: Some(folder.path().into()), ..Log::default() };
        assert!(Sink::open(&log).err().unwrap().to_string().starts_with("log.file: "));
    }

    /// What the library that speaks to RabbitMQ writes when it logs in, and what others would.
    #[test]
    fn inv_10_no_filter_lets_libraries_write_what_they_send() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.log");
        let log = Log { file: Some(file.clone()), ..Log::default() };
        for text in ["trace", "lapin=trace,redis=debug,clawpool=trace", "lapin=trace,debug"] {
            let (filter, _handle) = reload::Layer::new(filter(&log, Some(text.into())).unwrap());
            let subscriber = filtered(filter).with(layer(&log, Sink::open(&log).unwrap()));
            tracing::subscriber::with_default(subscriber, || {
                tracing::trace!(target: "lapin", frame = ?b"\0guest\0secret", "secret");
                tracing::debug!(target: "redis::aio", "AUTH secret");
                tracing::trace!(target: "rustls", "secret");
                tracing::warn!(target: "lapin", "the socket is closed");
                tracing::debug!(target: "clawpool::broker", "a line of ours");
            });
        }
        let written = std::fs::read_to_string(file).unwrap();
        assert!(!written.contains("secret"), "{written}");
        assert_eq!(written.matches("the socket is closed").count(), 3, "{written}");
        assert_eq!(written.matches("a line of ours").count(), 3, "{written}");
    }

    #[test]
    fn a_missing_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/pool.log");
        append_to(&path).unwrap();
        assert!(path.exists());
    }
}
