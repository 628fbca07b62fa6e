//! Where log lines go: opened at the start, and opened again when somebody has moved the file away.
//!
//! Guarantees: no line is lost or cut when the file is opened again; one that cannot be opened leaves the one
//! before in use.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    logs::{LogError, append_to},
    rotation::Rotating,
};
use clawpool_core::config::{Log, LogRotation};

/// What a log is written to.
enum Target {
    Stderr,
    File(File),
    Rotating(Mutex<Rotating>),
}

impl Target {
    fn open(log: &Log) -> Result<Self, LogError> {
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |error| LogError::File { path, error }
        };
        Ok(match (&log.file, log.rotate) {
            (None, _) => Self::Stderr,
            (Some(path), LogRotation::Never) => Self::File(append_to(path).map_err(fault(path))?),
            (Some(path), LogRotation::Daily) => {
                let files = Rotating::open(path, log.size.as_u64(), log.keep).map_err(fault(path))?;
                Self::Rotating(Mutex::new(files))
            }
        })
    }
}

/// The one place of a process's log. Clones share it.
#[derive(Clone)]
pub(super) struct Sink(Arc<RwLock<Arc<Target>>>);

impl Sink {
    pub(super) fn open(log: &Log) -> Result<Self, LogError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(Target::open(log)?)))))
    }

    /// Lines that come from now on go to the file that has the name now.
    pub(super) fn reopen(&self, log: &Log) -> Result<(), LogError> {
        let target = Arc::new(Target::open(log)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = target;
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Writes one line; the format layer does so with one call.
pub(super) struct Line(Arc<Target>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &*self.0 {
            Target::Stderr => io::stderr().write(line),
            Target::File(file) => (&mut &*file).write(line),
            Target::Rotating(files) => files.lock().unwrap_or_else(PoisonError::into_inner).write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn log(path: &Path) -> Log {
        Log { file: Some(path.to_owned()), ..Log::default() }
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("pool.log"), folder.path().join("pool.log.1"));
        let sink = Sink::open(&log(&path)).unwrap();
        sink.make_writer().write_all(b"one\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        sink.make_writer().write_all(b"two\n").unwrap();
        sink.reopen(&log(&path)).unwrap();
        sink.make_writer().write_all(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.log");
        let sink = Sink::open(&log(&path)).unwrap();
        let error = sink.reopen(&log(folder.path())).unwrap_err();
        assert!(error.to_string().starts_with("log.file: "), "{error}");
        sink.make_writer().write_all(b"one\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    }
}
