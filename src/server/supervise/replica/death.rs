//! What is done and reported about a worker that died.
//!
//! Guarantees: its tasks go back before the crash is reported. Never does: decide whether another worker
//! starts.

use crate::supervise::{
    child::{Child, ChildExit},
    crash::{self, Cause, CrashReport},
    restart::Death,
    supervisor::Supervisor,
};
use clawpool_core::task::{TaskId, Timestamp};
use clawpool_engine::{alert::Event, process::signal};

impl Supervisor {
    /// Cleans up after a worker that died and reports the crash.
    pub(super) async fn handle_death(&self, child: &mut Child, exit: &ChildExit) -> Death {
        let worker = child.worker;
        tracing::error!(pool = self.pool().name, %worker, "worker ended unasked: {}", exit.describe());
        if exit.hung {
            self.alert(Event::Hung, &format!("worker {worker} {}", exit.describe())).await;
        }
        let tasks = self.clean_up(worker, exit.polled.as_deref()).await;
        // Where the store did not answer, the last heartbeat decides.
        let ran = child.seen.as_ref().is_some_and(|info| info.beat.running.iter().any(|tasks| *tasks > 0));
        let registered = child.seen.is_some() || !tasks.is_empty();
        let busy = ran || !tasks.is_empty();
        self.report(child, exit, tasks, registered).await;
        Death { lived: Some(exit.lived), registered, busy }
    }

    async fn report(&self, child: &mut Child, exit: &ChildExit, tasks: Vec<TaskId>, registered: bool) {
        let log = child.tail.last().await;
        let status = exit.status.as_ref().ok();
        let cause = match status {
            _ if exit.hung => Cause::WatchdogTimeout,
            Some(status) => crash::cause(status.code(), signal(*status), &log),
            None => Cause::Unknown,
        };
        let report = CrashReport {
            worker: child.worker,
            pool: self.pool().name.clone(),
            pid: child.pid(),
            at: Timestamp::now(),
            cause,
            severity: crash::severity(cause, !tasks.is_empty(), registered),
            exit: exit.describe(),
            lived: exit.lived,
            tasks,
            usage: child.seen.as_ref().and_then(|info| info.beat.usage),
            log,
        };
        if let Some(entry) = report.entry() {
            self.journal(entry).await;
        }
    }
}
