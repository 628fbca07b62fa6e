//! What a killed worker leaves running. The programs of its `exec` tasks have groups of their own, so that each can be
//! ended by itself; when the worker is killed, nobody ends them. They carry its id in their environment.

use std::{collections::HashSet, ffi::OsString};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::OWNER_ENV;
use crate::task::WorkerId;

/// A process may start another one while we look. One that outruns this many looks is left to people.
const LOOKS: usize = 10;

/// Kills every process that the worker's tasks started and returns how many there were.
pub(super) async fn kill(owner: WorkerId) -> usize {
    let mark = OsString::from(format!("{OWNER_ENV}={owner}"));
    let look = tokio::task::spawn_blocking(move || {
        let mut killed = HashSet::new();
        for _ in 0..LOOKS {
            let found = kill_marked(&mark);
            if found.is_empty() {
                break;
            }
            killed.extend(found);
        }
        killed.len()
    });
    look.await.unwrap_or_default()
}

fn kill_marked(mark: &OsString) -> Vec<Pid> {
    let environment = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let Ok(mut system) = System::new() else { return Vec::new() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, environment);
    let marked = system.processes().values().filter(|process| process.environ().contains(mark));
    marked.filter(|process| process.kill()).map(|process| process.pid()).collect()
}
