use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
};

use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt,
    fmt::writer::BoxMakeWriter,
    layer::{Layered, SubscriberExt},
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{Log, LogFormat, LogRotation};

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
    let subscriber = Registry::default().with(filter).with(layer(log)?);
    #[cfg(windows)]
    let subscriber = subscriber.with(super::event_log::layer(log.event_source.as_deref()));
    let started = subscriber.try_init();
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
    let colour = log.file.is_none() && io::stderr().is_terminal();
    let writer = match (&log.file, log.rotate) {
        (None, _) => BoxMakeWriter::new(io::stderr),
        (Some(path), LogRotation::Never) => BoxMakeWriter::new(Arc::new(open(path)?)),
        (Some(path), LogRotation::Daily) => BoxMakeWriter::new(daily(path, log.keep)?),
    };
    // A worker outlives the supervisor that read its lines; it must not mind.
    let layer = fmt::layer().with_ansi(colour).with_writer(writer).log_internal_errors(false);
    Ok(match log.format {
        LogFormat::Pretty => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    })
}

/// Every process of a pool may write to the same file and change to the next day's by itself.
fn daily(path: &Path, keep: u16) -> Result<RollingFileAppender, LogError> {
    let fault = |error| LogError::File { path: path.to_owned(), error };
    let name = path.file_name().ok_or_else(|| fault(io::ErrorKind::InvalidFilename.into()))?;
    let files = RollingFileAppender::builder().rotation(Rotation::DAILY).max_log_files(keep.into());
    let files = files.filename_prefix(name.to_string_lossy());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files.build(folder).map_err(|error| fault(io::Error::other(error)))
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
    fn a_log_that_rotates_has_the_date_in_its_name_and_keeps_so_many_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/pool.log");
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        for day in ["2020-01-01", "2020-01-02", "2020-01-03"] {
            std::fs::write(folder.path().join(format!("logs/pool.log.{day}")), day).unwrap();
        }
        let mut log = daily(&path, 2).unwrap();
        io::Write::write_all(&mut log, b"a line\n").unwrap();
        let names = std::fs::read_dir(folder.path().join("logs")).unwrap();
        let names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let today = crate::task::Timestamp::now().to_string()[..10].to_owned();
        assert!(names.len() == 2 && names.contains(&format!("pool.log.{today}")), "{names:?}");
    }

    #[test]
    fn a_missing_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/pool.log");
        open(&path).unwrap();
        assert!(path.exists());
    }
}
