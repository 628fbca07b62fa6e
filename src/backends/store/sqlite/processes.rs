//! Whether workers' processes are there: all that share a file are on one machine.
//!
//! Guarantees: of a worker that says it is on this machine, whose process ended, it is told at once, also
//! before the one that started it has asked how it ended. Never does: see into other machines or containers.
//! Where the number of a dead process was given to another one, it seems to live, and its lease decides.

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use crate::store::Beat;
use clawpool_core::task::ProcessId;

/// `None` where this machine does not tell.
pub(super) async fn living(beats: Vec<Beat>) -> Option<Vec<ProcessId>> {
    tokio::task::spawn_blocking(move || look(&beats)).await.ok().flatten()
}

fn look(beats: &[Beat]) -> Option<Vec<ProcessId>> {
    let here = System::host_name().ok()?;
    let beats = beats.iter().filter(|beat| beat.host == here);
    let beats: Vec<(Pid, ProcessId)> = beats.map(|beat| (Pid::from_u32(beat.pid), beat.worker)).collect();
    let pids: Vec<Pid> = beats.iter().map(|(pid, _)| *pid).collect();
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, ProcessRefreshKind::nothing());
    let lives = |pid: &Pid| system.process(*pid).is_some_and(|process| !is_over(process.status()));
    Some(beats.into_iter().filter(|(pid, _)| lives(pid)).map(|(_, worker)| worker).collect())
}

const fn is_over(status: ProcessStatus) -> bool {
    matches!(status, ProcessStatus::Zombie | ProcessStatus::Dead)
}
