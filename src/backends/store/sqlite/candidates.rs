//! Which candidates for leadership live: each keeps a file beside the database locked.
//!
//! Guarantees: no candidate is called dead whose process lives, be it stopped: the system lets go of a lock
//! when its process is gone, and not before. Never does: guess. Without a file, or on a file system without
//! locks, a lease decides alone.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use clawpool_core::{private, task::ProcessId};

/// The candidates of this store, and where all of them have their files.
pub(super) struct Candidates {
    folder: PathBuf,
    held: Mutex<HashMap<ProcessId, File>>,
}

impl Candidates {
    pub(super) fn beside(database: &Path) -> Self {
        Self { folder: database.with_extension("leaders"), held: Mutex::default() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Shows that `who` lives for as long as this store does. Without it others wait for its lease to end.
    pub(super) fn hold(&self, who: ProcessId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(&who) {
            return;
        }
        match self.locked(who) {
            Ok(file) => drop(held.insert(who, file)),
            Err(error) => tracing::debug!(folder = %self.folder.display(), %error, "a candidate has no file"),
        }
    }

    fn locked(&self, who: ProcessId) -> io::Result<File> {
        private::folder(&self.folder)?;
        let file = private::append(&path(&self.folder, who))?;
        file.try_lock()?;
        Ok(file)
    }
}

impl Drop for Candidates {
    fn drop(&mut self) {
        for who in self.held.get_mut().unwrap_or_else(PoisonError::into_inner).keys() {
            let _ = fs::remove_file(path(&self.folder, *who));
        }
    }
}

/// Whether the process of `who` is gone. Its file goes with the answer yes.
pub(super) fn is_dead(folder: &Path, who: ProcessId) -> bool {
    let path = path(folder, who);
    let dead = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
    if dead {
        let _ = fs::remove_file(path);
    }
    dead
}

fn path(folder: &Path, who: ProcessId) -> PathBuf {
    folder.join(who.to_string())
}
