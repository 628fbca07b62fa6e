use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use super::ServiceError;

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    /// The command that it runs and the command's arguments, without `--config`.
    pub command: Vec<String>,
    /// The `clawpool` program.
    pub program: PathBuf,
    /// Where it reads its settings; the built-in defaults without it.
    pub config: Option<PathBuf>,
    /// The data folder of the embedded profile.
    pub data: Option<PathBuf>,
    /// The least privileged account that serves, when none is named.
    pub account: Option<String>,
    /// How long it may take to stop: running tasks may finish.
    pub patience: Duration,
    /// Where the unit goes, on systems with systemd.
    pub unit_dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Installed {
    pub name: String,
    /// The unit's file, or the folder of a Windows service.
    pub path: PathBuf,
    pub account: String,
    /// What the user should know or do next.
    pub notes: Vec<String>,
}

/// What a service leaves behind.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Where its configuration, logs and data stay.
    pub path: PathBuf,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub name: String,
    /// In the system's own words.
    pub state: String,
    pub running: bool,
    pub pid: Option<u32>,
    pub account: Option<String>,
    pub start: Option<String>,
    pub command: Option<String>,
}

/// Names become file names and accounts: letters, digits, `-` and `_`, and no more than both systems take.
pub fn check_name(name: &str) -> Result<String, String> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let starts = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if fits && starts && name.len() <= 64 {
        return Ok(name.to_owned());
    }
    Err("write at most 64 letters, digits, '-' and '_', a letter or digit first".to_owned())
}

impl Plan {
    /// An account cannot read what lies in a person's home. Found here, before the service fails to start.
    pub(super) fn check_program(&self, homes: &[PathBuf], better: &'static str) -> Result<(), ServiceError> {
        match homes.iter().find(|home| self.program.starts_with(home)) {
            Some(home) => {
                Err(ServiceError::Unreachable { program: self.program.clone(), home: home.clone(), better })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for name in ["", "a/b", "..", "-a", "a b", "a.service", "NT SERVICE\\x", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert_eq!(check_name("clawpool-worker_2").unwrap(), "clawpool-worker_2");
    }
}
