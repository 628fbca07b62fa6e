use std::{
    convert::Infallible,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, Command},
    sync::{Notify, watch},
    time::{Instant, timeout},
};

use super::{
    PoolSpec,
    heartbeats::{HeartbeatMonitor, Snapshot},
    polling::Polling,
    recycle::Reason,
    replica::Controls,
    tail::Tail,
};
use clawpool_backends::store::WorkerInfo;
use clawpool_core::task::{ProcessId, TaskId};
use clawpool_engine::process::{POLLING_ENV, POOL_ENV, Shutdown, StopMonitor, Tree, WORKER_ENV, describe};

/// One worker process.
pub(super) struct Child {
    pub(super) worker: ProcessId,
    pub(super) tail: Tail,
    born: Instant,
    tree: Tree,
    /// Held open for as long as the worker should live; its end tells the worker to finish and leave, also
    /// when it ends because this process does.
    stdin: Option<ChildStdin>,
    polling: Polling,
    /// What the registry showed of it last.
    pub(super) seen: Option<WorkerInfo>,
}

/// Why the supervisor stops waiting for a worker.
pub(super) enum ChildEvent {
    /// It ended without having been told to.
    Exited(ChildExit),
    /// It has exceeded one of its limits.
    OverLimit(Reason),
    /// It was told to leave: this worker alone, or all of them.
    Draining,
    /// It was to be replaced at once, and is dead.
    Replaced,
}

pub(super) struct ChildExit {
    pub(super) status: io::Result<ExitStatus>,
    /// No heartbeat for too long: it was killed.
    pub(super) hung: bool,
    pub(super) lived: Duration,
    /// Whose futures it was polling, of the tasks that died before; see [`Polling::tasks_at_exit`].
    pub(super) polled: Option<Vec<TaskId>>,
}

impl ChildExit {
    /// It finished what it ran and left in good order.
    pub(super) fn is_clean(&self) -> bool {
        !self.hung && self.status.as_ref().is_ok_and(ExitStatus::success)
    }

    pub(super) fn describe(&self) -> String {
        let ended = describe_end(&self.status);
        if self.hung {
            format!("hung without a heartbeat for a lease and was killed ({ended})")
        } else {
            ended
        }
    }
}

impl Child {
    pub(super) fn spawn(pool: &PoolSpec, worker: ProcessId) -> io::Result<Self> {
        let mut command = Command::new(&pool.program);
        command.args(&pool.args).envs(pool.env.iter().cloned());
        command.env(WORKER_ENV, worker.to_string()).env(POOL_ENV, &pool.name);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let polling = Polling::new();
        command.envs(polling.folder().map(|folder| (POLLING_ENV, folder)));
        let mut tree = Tree::spawn_within(command, pool.limits)?;
        let stdin = tree.stdin();
        let tail = Tail::of(tree.stderr());
        tracing::info!(pool = pool.name, %worker, pid = tree.pid(), "worker started");
        Ok(Self { worker, tail, born: Instant::now(), tree, stdin, polling, seen: None })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.tree.pid()
    }

    /// Waits until it ends, hangs, exceeds a limit or is told to leave.
    pub(super) async fn live(
        &mut self,
        pool: &PoolSpec,
        snapshots: watch::Receiver<Snapshot>,
        controls: &Controls,
        shutdown: &Shutdown,
    ) -> ChildEvent {
        let pid = self.pid();
        let hung = tokio::select! {
            status = self.tree.wait() => return ChildEvent::Exited(self.exit(status, false)),
            () = shutdown.drain.cancelled() => return ChildEvent::Draining,
            () = controls.leave.cancelled() => return ChildEvent::Draining,
            () = controls.replace.notified() => false,
            never = pass_on(&mut self.stdin, &controls.reload) => match never {},
            found = watch_child(self.worker, pid, pool, snapshots, &mut self.seen) => match found {
                Some(reason) => return ChildEvent::OverLimit(reason),
                None => true,
            },
        };
        self.tree.kill();
        let status = self.tree.wait().await;
        if hung { ChildEvent::Exited(self.exit(status, true)) } else { ChildEvent::Replaced }
    }

    /// Lets it finish what it runs, for as long as `patience`; then kills it. Answers its end, and whether it
    /// was killed.
    pub(super) async fn leave(
        &mut self,
        controls: &Controls,
        shutdown: &Shutdown,
        patience: Duration,
    ) -> (ChildExit, bool) {
        drop(self.stdin.take());
        let gone = async {
            tokio::select! {
                status = timeout(patience, self.tree.wait()) => status.ok(),
                () = shutdown.now.cancelled() => None,
                () = controls.replace.notified() => None,
            }
        };
        match gone.await {
            Some(status) => (self.exit(status, false), false),
            None => {
                self.tree.kill();
                let status = self.tree.wait().await;
                (self.exit(status, false), true)
            }
        }
    }

    fn exit(&self, status: io::Result<ExitStatus>, hung: bool) -> ChildExit {
        let polled = status.as_ref().ok().and_then(|status| self.polling.tasks_at_exit(*status));
        ChildExit { status, hung, lived: self.born.elapsed(), polled }
    }
}

pub(super) fn describe_end(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => describe(*status),
        Err(error) => format!("its end could not be observed: {error}"),
    }
}

/// Any byte asks a worker to reload.
async fn pass_on(stdin: &mut Option<ChildStdin>, reload: &Notify) -> Infallible {
    loop {
        reload.notified().await;
        if let Some(stdin) = stdin
            && let Err(error) = stdin.write_all(b"\n").await
        {
            tracing::debug!(%error, "a worker does not listen to its supervisor");
        }
    }
}

/// Returns when the worker hangs (`None`) or has exceeded a limit, and says which.
async fn watch_child(
    worker: ProcessId,
    pid: u32,
    pool: &PoolSpec,
    mut snapshots: watch::Receiver<Snapshot>,
    seen: &mut Option<WorkerInfo>,
) -> Option<Reason> {
    let mut heartbeats = HeartbeatMonitor::new(pool.lease);
    let mut stops = StopMonitor::new(pid, pool.lease);
    while snapshots.changed().await.is_ok() {
        let snapshot = snapshots.borrow_and_update().clone();
        if let Some(info) = snapshot.as_ref().and_then(|snapshot| snapshot.get(&worker)) {
            *seen = Some(info.clone());
        }
        let now = Instant::now();
        if stops.lasts(snapshot.is_some(), now) || heartbeats.hangs(worker, &snapshot, now) {
            return None;
        }
        if let Some(reason) = seen.as_ref().and_then(|info| pool.recycle.reason(info)) {
            return Some(reason);
        }
    }
    // No snapshots come any more, so nothing is known.
    std::future::pending().await
}
