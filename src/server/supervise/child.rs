use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::{ChildStdin, Command},
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    Pool,
    beats::{Look, Pulse},
    place::Orders,
    polling::Polling,
    recycle::Reason,
    tail::Tail,
};
use clawpool_backends::store::WorkerInfo;
use clawpool_core::task::{TaskId, WorkerId};
use clawpool_engine::process::{POLLING_ENV, POOL_ENV, Shutdown, Standstill, Tree, WORKER_ENV, describe};

/// One incarnation of a worker process.
pub(super) struct Child {
    pub(super) worker: WorkerId,
    pub(super) tail: Tail,
    born: Instant,
    tree: Tree,
    /// Held open for as long as the worker should live; its end tells the worker to finish and leave, also when it ends
    /// because this process does.
    stdin: Option<ChildStdin>,
    polling: Polling,
    /// What the registry showed of it last.
    pub(super) seen: Option<WorkerInfo>,
}

/// Why a worker's life was not simply to go on.
pub(super) enum Turn {
    /// It ended, and nobody had asked it to.
    Died(Fate),
    /// It has outgrown one of its limits.
    Overgrown(Reason),
    /// It was told to leave: it alone, or everybody.
    Dismissed,
    /// It was to be replaced at once, and is dead.
    Replaced,
}

pub(super) struct Fate {
    pub(super) status: io::Result<ExitStatus>,
    /// No heartbeat for too long: it was killed.
    pub(super) hung: bool,
    pub(super) lived: Duration,
    /// Whose futures it was polling, of the tasks that died before; see [`Polling::at_the_end`].
    pub(super) polled: Option<Vec<TaskId>>,
}

impl Fate {
    /// It finished what it ran and left in good order.
    pub(super) fn is_leave(&self) -> bool {
        !self.hung && self.status.as_ref().is_ok_and(ExitStatus::success)
    }

    pub(super) fn describe(&self) -> String {
        let ended = ended(&self.status);
        if self.hung { format!("hung without a heartbeat for a lease and was killed ({ended})") } else { ended }
    }
}

impl Child {
    pub(super) fn spawn(pool: &Pool, worker: WorkerId) -> io::Result<Self> {
        let mut command = Command::new(&pool.program);
        command.args(&pool.args).envs(pool.env.iter().cloned());
        command.env(WORKER_ENV, worker.to_string()).env(POOL_ENV, &pool.name);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let polling = Polling::new();
        command.envs(polling.folder().map(|folder| (POLLING_ENV, folder)));
        let mut tree = Tree::spawn_within(command, pool.limits)?;
        let (stdin, tail) = (tree.stdin(), Tail::of(tree.stderr()));
        tracing::info!(pool = pool.name, %worker, pid = tree.pid(), "worker started");
        Ok(Self { worker, tail, born: Instant::now(), tree, stdin, polling, seen: None })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.tree.pid()
    }

    /// Until something happens to it.
    pub(super) async fn live(
        &mut self,
        pool: &Pool,
        looks: watch::Receiver<Look>,
        orders: &Orders,
        shutdown: &Shutdown,
    ) -> Turn {
        let pid = self.pid();
        let hung = tokio::select! {
            status = self.tree.wait() => return Turn::Died(self.fate(status, false)),
            () = shutdown.drain.cancelled() => return Turn::Dismissed,
            () = orders.leave.cancelled() => return Turn::Dismissed,
            () = orders.replace.notified() => false,
            verdict = watch_over(self.worker, pid, pool, looks, &mut self.seen) => match verdict {
                Some(reason) => return Turn::Overgrown(reason),
                None => true,
            },
        };
        self.tree.kill();
        let status = self.tree.wait().await;
        if hung { Turn::Died(self.fate(status, true)) } else { Turn::Replaced }
    }

    /// Lets it finish what it runs, for as long as `patience`; then kills it. Answers its end, and whether it was killed.
    pub(super) async fn leave(&mut self, orders: &Orders, shutdown: &Shutdown, patience: Duration) -> (Fate, bool) {
        drop(self.stdin.take());
        let gone = async {
            tokio::select! {
                status = timeout(patience, self.tree.wait()) => status.ok(),
                () = shutdown.now.cancelled() => None,
                () = orders.replace.notified() => None,
            }
        };
        match gone.await {
            Some(status) => (self.fate(status, false), false),
            None => {
                self.tree.kill();
                let status = self.tree.wait().await;
                (self.fate(status, false), true)
            }
        }
    }

    fn fate(&self, status: io::Result<ExitStatus>, hung: bool) -> Fate {
        let polled = status.as_ref().ok().and_then(|status| self.polling.at_the_end(*status));
        Fate { status, hung, lived: self.born.elapsed(), polled }
    }
}

pub(super) fn ended(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => describe(*status),
        Err(error) => format!("its end could not be observed: {error}"),
    }
}

/// Returns when the worker hangs (`None`) or has outgrown a limit, and says which.
async fn watch_over(
    worker: WorkerId,
    pid: u32,
    pool: &Pool,
    mut looks: watch::Receiver<Look>,
    seen: &mut Option<WorkerInfo>,
) -> Option<Reason> {
    let (mut pulse, mut standstill) = (Pulse::new(pool.lease), Standstill::new(pid, pool.lease));
    while looks.changed().await.is_ok() {
        let look = looks.borrow_and_update().clone();
        if let Some(info) = look.as_ref().and_then(|look| look.get(&worker)) {
            *seen = Some(info.clone());
        }
        let now = Instant::now();
        if standstill.lasts(look.is_some(), now) || pulse.hangs(worker, &look, now) {
            return None;
        }
        if let Some(reason) = seen.as_ref().and_then(|info| pool.recycle.reason(info)) {
            return Some(reason);
        }
    }
    // Nobody looks any more, so nobody can tell.
    std::future::pending().await
}
