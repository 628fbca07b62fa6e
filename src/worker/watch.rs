//! Marks for the supervisor of what is being polled: should this process die of it, it is known who did it.
//!
//! Guarantees: a task that no worker died with costs one comparison a poll; a mark that cannot be left costs a line in
//! the log. Never does: leave marks of a task that is polled most of the time, which would be found with a mark whoever
//! killed the worker.

use std::{
    fs::{self, File},
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use tokio::time::Instant;

use super::job::Job;
use crate::{retry::WATCHED, supervise::polling_folder};

/// One attempt of a task that a worker died with before.
pub(super) struct Watch {
    /// `None`: it could not be left.
    mark: Option<PathBuf>,
    since: Instant,
    /// For how long it was polled.
    polled: Duration,
}

impl Watch {
    pub fn of(job: &Job) -> Option<Self> {
        if job.crashes == 0 { None } else { polling_folder().map(|folder| Self::new(folder, job)) }
    }

    fn new(folder: &Path, job: &Job) -> Self {
        let mark = Some(folder.join(job.task.id.to_string()));
        Self { mark, since: Instant::now(), polled: Duration::ZERO }
    }

    fn tells(&self) -> bool {
        self.polled <= WATCHED || self.polled * 8 <= self.since.elapsed()
    }

    fn poll<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let marked = self.tells() && self.does(|mark| File::create(mark));
        let begun = Instant::now();
        let answer = poll();
        self.polled += begun.elapsed();
        if marked {
            self.does(|mark| fs::remove_file(mark));
        }
        answer
    }

    /// Leaves the mark or takes it away; after the first failure there is none any more.
    fn does<T>(&mut self, change: impl FnOnce(&PathBuf) -> io::Result<T>) -> bool {
        let Some(mark) = &self.mark else { return false };
        let changed = change(mark);
        if let Err(error) = &changed {
            tracing::warn!(%error, ?mark, "the supervisor cannot be told what is being polled");
            self.mark = None;
        }
        changed.is_ok()
    }
}

/// The future, watched if `watch` is there.
pub(super) async fn watched<F: Future>(watch: Option<Watch>, future: F) -> F::Output {
    let (mut watch, mut future) = (watch, pin!(future));
    poll_fn(|context| match &mut watch {
        None => future.as_mut().poll(context),
        Some(watch) => watch.poll(|| future.as_mut().poll(context)),
    })
    .await
}
