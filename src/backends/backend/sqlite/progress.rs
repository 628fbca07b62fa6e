//! Whether the writer gets on, for the callers that wait for it: another process's lock or a slow disk may
//! hold it up.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A longer wait is written into the log.
const LONG: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Progress(Mutex<Work>);

#[derive(Default)]
struct Work {
    since: Option<Instant>,
    /// When the wait began that the log was told of.
    told: Option<Instant>,
}

impl Progress {
    pub(crate) fn begin(&self) {
        self.lock().since = Some(Instant::now());
    }

    pub(crate) fn end(&self) {
        self.lock().since = None;
    }

    /// Says once that all writes wait, and once that they go on. To be called every second or so.
    pub(crate) fn tell(&self, path: &Path) {
        let mut work = self.lock();
        let late = work.since.filter(|since| since.elapsed() >= LONG);
        match (late, work.told) {
            (Some(since), None) => {
                work.told = Some(since);
                let path = path.display();
                tracing::warn!(%path, "all writes wait: another process keeps the file locked, or its disk \
                    is slow");
            }
            (None, Some(since)) => {
                work.told = None;
                tracing::info!(path = %path.display(), waited = ?since.elapsed(), "writes go on");
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
