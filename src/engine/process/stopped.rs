use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
use tokio::time::Instant;

/// A process that its system has stopped (SIGSTOP). Asked while the registry says nothing: the process may
/// hold the store's lock, and then all others would wait for ever.
pub struct StopMonitor {
    pid: u32,
    lease: Duration,
    since: Option<Instant>,
}

impl StopMonitor {
    /// Watches the process `pid`.
    pub const fn new(pid: u32, lease: Duration) -> Self {
        Self { pid, lease, since: None }
    }

    /// Whether it has stood still for a whole lease, in looks without the registry that came one after the
    /// other.
    pub fn lasts(&mut self, registry_answers: bool, now: Instant) -> bool {
        let stands = !registry_answers && is_stopped(self.pid);
        self.since = stands.then(|| self.since.unwrap_or(now));
        self.since.is_some_and(|since| now.duration_since(since) >= self.lease)
    }
}

/// Windows does not tell: there it is never so.
fn is_stopped(pid: u32) -> bool {
    let Ok(mut system) = System::new() else { return false };
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    system.process(pid).is_some_and(|process| process.status() == ProcessStatus::Stop)
}
