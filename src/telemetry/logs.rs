use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt,
    fmt::writer::BoxMakeWriter,
    layer::{Layered, SubscriberExt},
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{Log, LogFormat};

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log.filter: {filter:?} is not a filter ({reason}): write info, or clawpool=debug,lapin=warn")]
    Filter { filter: String, reason: String },
    #[error("log.file: {} cannot be written: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

/// What the format layer sits on.
type Filtered = Layered<EnvFilter, Registry>;

/// Sends log lines where the configuration says. `RUST_LOG` wins over `log.filter`, so that one run can be looked into
/// without touching the configuration.
pub fn start_logs(log: &Log) -> Result<(), LogError> {
    let filter = filter(log, std::env::var("RUST_LOG").ok())?;
    let started = Registry::default().with(filter).with(layer(log)?).try_init();
    // A test or an embedding program that logs already keeps its own subscriber.
    if let Err(error) = started as Result<(), TryInitError> {
        tracing::debug!(%error, "logs were started before");
    }
    Ok(())
}

fn filter(log: &Log, environment: Option<String>) -> Result<EnvFilter, LogError> {
    let filter = environment.filter(|text| !text.is_empty()).unwrap_or_else(|| log.filter.clone());
    EnvFilter::try_new(&filter).map_err(|error| LogError::Filter { filter, reason: error.to_string() })
}

fn layer(log: &Log) -> Result<Box<dyn Layer<Filtered> + Send + Sync>, LogError> {
    let file = log.file.as_ref().map(|path| open(path)).transpose()?;
    let colour = file.is_none() && io::stderr().is_terminal();
    let writer = match file {
        Some(file) => BoxMakeWriter::new(Arc::new(file)),
        None => BoxMakeWriter::new(io::stderr),
    };
    let layer = fmt::layer().with_ansi(colour).with_writer(writer);
    Ok(match log.format {
        LogFormat::Pretty => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    })
}

/// Appends, so that a restart keeps the lines that tell why it was needed.
fn open(path: &Path) -> Result<File, LogError> {
    let fault = |error| LogError::File { path: path.to_owned(), error };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(fault)?;
    }
    OpenOptions::new().create(true).append(true).open(path).map_err(fault)
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
        assert!(layer(&log).err().unwrap().to_string().starts_with("log.file: "));
    }

    #[test]
    fn a_missing_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/pool.log");
        open(&path).unwrap();
        assert!(path.exists());
    }
}
