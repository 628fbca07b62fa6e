//! What a killed worker leaves running. The programs of its `exec` tasks have groups of their own, so that
//! each can be ended by itself; when the worker is killed, they go on. They, and all that they start, carry
//! marks in their environment, by which they are found, also in another group or session.

use std::{collections::HashSet, ffi::OsString};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::OWNER_ENV;

/// A process may start another one while we look. One that outruns this many looks is left to people.
const LOOKS: usize = 10;

/// What stands in a program's environment: `NAME=value`.
#[derive(Clone, Debug)]
pub struct Mark(OsString);

impl Mark {
    /// The variable `name` with this value.
    pub fn new(name: &str, value: &str) -> Self {
        Self(format!("{name}={value}").into())
    }

    /// The mark of programs that this worker's tasks started.
    pub fn owner(owner: &str) -> Self {
        Self::new(OWNER_ENV, owner)
    }
}

/// Kills every process that carries all the marks, and returns how many there were. Reads the whole list of
/// processes: for rare moments.
pub fn end_marked(marks: &[Mark]) -> usize {
    let mut ended = HashSet::new();
    for _ in 0..LOOKS {
        let found = kill_marked(marks);
        if found.is_empty() {
            break;
        }
        ended.extend(found);
    }
    ended.len()
}

fn kill_marked(marks: &[Mark]) -> Vec<Pid> {
    let environment = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let Ok(mut system) = System::new() else { return Vec::new() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, environment);
    let marked = system
        .processes()
        .values()
        .filter(|process| marks.iter().all(|mark| process.environ().contains(&mark.0)));
    marked.filter(|process| process.kill()).map(|process| process.pid()).collect()
}

/// The same without holding up the runtime.
pub async fn end_marked_aside(marks: Vec<Mark>) -> usize {
    tokio::task::spawn_blocking(move || end_marked(&marks)).await.unwrap_or_default()
}
