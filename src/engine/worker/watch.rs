//! Marks for the supervisor of what is being polled: should this process die of it, it is known who did it.
//!
//! Guarantees: a task that no worker died with costs one comparison a poll; a mark that cannot be left costs
//! a line in the log. Never does: leave marks of a task that is polled most of the time, which would be found
//! with a mark whatever killed the worker.

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
use crate::process::polling_folder;
use clawpool_core::{retry::WATCHED, task::TaskId};

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
        if job.crashes == 0 { None } else { polling_folder().map(|folder| Self::new(folder, job.task.id)) }
    }

    fn new(folder: &Path, task: TaskId) -> Self {
        let mark = Some(folder.join(task.to_string()));
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
    let mut watch = watch;
    let mut future = pin!(future);
    poll_fn(|context| match &mut watch {
        None => future.as_mut().poll(context),
        Some(watch) => watch.poll(|| future.as_mut().poll(context)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mark_lies_there_while_its_task_is_polled() {
        let folder = tempfile::tempdir().unwrap();
        let task = TaskId::new();
        let path = folder.path();
        let there = || fs::read_dir(path).unwrap().map(|mark| mark.unwrap().path()).collect::<Vec<_>>();
        let first = async {
            let before = there();
            tokio::task::yield_now().await;
            [before, there()]
        };
        let looks = watched(Some(Watch::new(path, task)), first).await;
        let mark = path.join(task.to_string());
        assert_eq!(looks, [[mark.clone()], [mark]]);
        assert!(there().is_empty());
    }

    #[tokio::test]
    async fn a_task_that_is_polled_most_of_the_time_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(folder.path(), TaskId::new());
        watch.polled = 2 * WATCHED;
        assert_eq!(watch.poll(|| fs::read_dir(folder.path()).unwrap().count()), 0);
        watch.since = Instant::now().checked_sub(20 * WATCHED).unwrap();
        assert_eq!(watch.poll(|| fs::read_dir(folder.path()).unwrap().count()), 1, "it waited ever since");
    }

    #[tokio::test]
    async fn a_mark_that_cannot_be_left_costs_the_task_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(&folder.path().join("gone"), TaskId::new());
        let run = async {
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(watched(Some(watch), run).await, 7);
    }
}
