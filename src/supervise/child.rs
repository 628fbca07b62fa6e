use std::{
    io,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    process::{ChildStdin, Command},
    sync::watch,
    time::timeout,
};

use super::{
    Left, POOL_ENV, Pool, Shutdown, Tree, WORKER_ENV,
    beats::{Look, Pulse},
    describe,
};
use crate::task::WorkerId;

/// One incarnation of a worker process.
pub(super) struct Child {
    pub(super) worker: WorkerId,
    born: Instant,
    tree: Tree,
    /// Held open for as long as the worker should live; its end tells the worker to finish and leave, also when it ends
    /// because this process does.
    stdin: Option<ChildStdin>,
}

pub(super) enum End {
    /// Nobody had asked it to.
    Died { how: String, lived: Duration },
    /// At shutdown.
    Left(Left),
}

impl Child {
    pub(super) fn spawn(pool: &Pool) -> io::Result<Self> {
        let worker = WorkerId::new();
        let mut command = Command::new(&pool.program);
        command.args(&pool.args).envs(pool.env.iter().cloned());
        command.env(WORKER_ENV, worker.to_string()).env(POOL_ENV, &pool.name).stdin(Stdio::piped());
        let mut tree = Tree::spawn(command)?;
        let stdin = tree.stdin();
        tracing::info!(pool = pool.name, %worker, pid = tree.pid(), "worker started");
        Ok(Self { worker, born: Instant::now(), tree, stdin })
    }

    /// Until its end, whichever way that comes.
    pub(super) async fn live(&mut self, looks: watch::Receiver<Look>, shutdown: &Shutdown, patience: Duration) -> End {
        let worker = self.worker;
        let how = tokio::select! {
            status = self.tree.wait() => ended(status),
            () = hangs(worker, looks) => {
                self.tree.kill();
                format!("hung without a heartbeat for three leases and was killed ({})", ended(self.tree.wait().await))
            }
            () = shutdown.drain.cancelled() => return End::Left(self.leave(shutdown, patience).await),
        };
        End::Died { how, lived: self.born.elapsed() }
    }

    async fn leave(&mut self, shutdown: &Shutdown, patience: Duration) -> Left {
        drop(self.stdin.take());
        let in_time = shutdown.now.run_until_cancelled(timeout(patience, self.tree.wait())).await;
        let killed = !matches!(in_time, Some(Ok(_)));
        let status = match in_time {
            Some(Ok(status)) => status,
            _ => {
                self.tree.kill();
                self.tree.wait().await
            }
        };
        let clean = !killed && status.as_ref().is_ok_and(|status| status.success());
        Left { worker: self.worker, pid: self.tree.pid(), how: ended(status), killed, clean }
    }
}

fn ended(status: io::Result<std::process::ExitStatus>) -> String {
    status.map_or_else(|error| format!("its end could not be observed: {error}"), describe)
}

/// Returns when the worker is found hanging.
async fn hangs(worker: WorkerId, mut looks: watch::Receiver<Look>) {
    let mut pulse = Pulse::default();
    while looks.changed().await.is_ok() {
        let look = looks.borrow_and_update().clone();
        if pulse.hangs(worker, &look) {
            return;
        }
    }
    // Nobody looks any more, so nobody can tell.
    std::future::pending().await
}
