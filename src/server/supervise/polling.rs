//! Which tasks' futures a worker was polling as it died.
//!
//! A worker leaves a mark while it polls a task that a worker died with before: an empty file of the task's
//! name, in a folder that its supervisor made for it alone. The file outlives whatever ends the worker, and
//! the folder goes with what the supervisor knows of the worker; after a supervisor that was killed it lies
//! among the system's temporary files.

use std::{
    fs::{self, DirEntry},
    path::Path,
    process::ExitStatus,
};

use tempfile::TempDir;

use clawpool_core::{retry::WATCHED, task::TaskId};
use clawpool_engine::process::{is_self_inflicted, signal};

/// The supervisor's side, for one worker.
pub(super) struct Polling(Option<TempDir>);

impl Polling {
    /// Without a folder it is unknown: a task that kills workers is then searched for among all that they
    /// ran.
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("clawpool-polling-").tempdir();
        Self(folder.inspect_err(|error| tracing::warn!(%error, "no folder for a worker's marks")).ok())
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.0.as_ref().map(TempDir::path)
    }

    /// To be called as soon as the worker has ended. `None`: it was killed from outside, or it is unknown.
    pub(super) fn tasks_at_exit(&self, status: ExitStatus) -> Option<Vec<TaskId>> {
        if !is_self_inflicted(status.code(), signal(status)) {
            return None;
        }
        let marks = fs::read_dir(self.folder()?).inspect_err(|error| {
            tracing::warn!(%error, "it is unknown what the worker was polling");
        });
        Some(marks.ok()?.flatten().filter(is_fresh).filter_map(|mark| task(&mark)).collect())
    }
}

/// A task that is polled for long would be so at whatever death.
fn is_fresh(mark: &DirEntry) -> bool {
    let made = mark.metadata().and_then(|data| data.modified());
    made.is_ok_and(|made| made.elapsed().unwrap_or_default() <= WATCHED)
}

fn task(mark: &DirEntry) -> Option<TaskId> {
    mark.file_name().to_str()?.parse().ok()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs::File, os::unix::process::ExitStatusExt, time::SystemTime};

    use super::*;

    const ABORTED: i32 = 6;
    const KILLED: i32 = 9;

    #[test]
    fn fresh_marks_of_a_worker_that_ended_by_its_own_doing_count() {
        let polling = Polling::new();
        let folder = polling.folder().unwrap().to_owned();
        let fresh = TaskId::new();
        let old = TaskId::new();
        File::create(folder.join(fresh.to_string())).unwrap();
        let long = File::create(folder.join(old.to_string())).unwrap();
        long.set_modified(SystemTime::now() - 2 * WATCHED).unwrap();
        File::create(folder.join("no task")).unwrap();
        assert_eq!(polling.tasks_at_exit(ExitStatus::from_raw(ABORTED)), Some(vec![fresh]));
        assert_eq!(polling.tasks_at_exit(ExitStatus::from_raw(KILLED)), None, "it was no task's doing");
        drop(polling);
        assert!(!folder.exists());
    }

    #[test]
    fn without_its_folder_it_is_unknown() {
        let polling = Polling::new();
        fs::remove_dir(polling.folder().unwrap()).unwrap();
        assert_eq!(polling.tasks_at_exit(ExitStatus::from_raw(ABORTED)), None);
        assert_eq!(Polling(None).tasks_at_exit(ExitStatus::from_raw(ABORTED)), None);
    }
}
