//! A replica of a pool: one worker process after the other, until the replica is removed.
//!
//! Guarantees: each worker has an id of its own, and the one before it is cleaned up when it starts. Never
//! does: start a worker while another one of the same replica runs.

mod clean_up;
mod death;
mod next_start;

use std::{io, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    StoppedWorker,
    child::{Child, ChildEvent, describe_end},
    restart::{Death, NextStart, Restarts, WaitReason},
    supervisor::{MARGIN, Supervisor},
};
use clawpool_engine::process::{SHORTAGE_RETRY, Shutdown, is_shortage};

/// Without waiting.
const AT_ONCE: NextStart = NextStart::After(Duration::ZERO, WaitReason::Policy);

/// How the worker of one replica is told what to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Controls {
    /// Finish and leave; no worker comes after it.
    pub(super) leave: CancellationToken,
    /// End now; another one comes.
    pub(super) replace: Arc<Notify>,
    /// Start a worker that is down now, without waiting for the policy.
    pub(super) restart: Arc<Notify>,
    /// Read the configuration again, as far as a worker can.
    pub(super) reload: Arc<Notify>,
}

/// A replica whose worker is yet to start.
pub(super) struct Replica {
    pub(super) number: u64,
    pub(super) controls: Controls,
    pub(super) history: Restarts,
    /// What the start waits for.
    pub(super) next_start: NextStart,
}

impl Supervisor {
    /// Runs the replica until it is removed. Returns how its last worker stopped.
    pub(super) async fn run_replica(
        &self,
        mut replica: Replica,
        shutdown: &Shutdown,
    ) -> Option<StoppedWorker> {
        let mut before = None;
        let left = loop {
            if !self.pause(&mut replica, shutdown).await {
                break None;
            }
            let worker = self.lock_replicas().start(replica.number);
            match Child::spawn(&self.pool(), worker) {
                Ok(child) => {
                    if let Some(before) = before.replace(worker) {
                        self.note_restart(before);
                    }
                    match self.run_child(child, &mut replica, shutdown).await {
                        ControlFlow::Continue(next_start) => replica.next_start = next_start,
                        ControlFlow::Break(stopped) => break Some(stopped),
                    }
                }
                Err(error) => replica.next_start = self.not_started(&mut replica, &error).await,
            }
        };
        self.lock_replicas().remove(replica.number);
        left
    }

    /// Returns when the next worker starts, or how this one left with its replica.
    async fn run_child(
        &self,
        mut child: Child,
        replica: &mut Replica,
        shutdown: &Shutdown,
    ) -> ControlFlow<StoppedWorker, NextStart> {
        let worker = child.worker;
        let pool = self.pool();
        let event = child.live(&pool, self.snapshots.subscribe(), &replica.controls, shutdown).await;
        // Its successor has an id of its own from now on.
        ControlFlow::Continue(match event {
            // It was told to leave from outside: an operator's drain, a signal.
            ChildEvent::Exited(exit) if exit.is_clean() && child.seen.is_some() => {
                self.lock_replicas().end(replica.number);
                tracing::info!(pool = self.pool().name, %worker, "worker left and is replaced");
                self.clean_up(worker, None).await;
                AT_ONCE
            }
            ChildEvent::Exited(exit) => {
                self.lock_replicas().end(replica.number);
                let death = self.handle_death(&mut child, &exit).await;
                self.decide_restart(replica, death).await
            }
            ChildEvent::Replaced => {
                tracing::warn!(pool = self.pool().name, %worker, "worker ended to be replaced");
                self.lock_replicas().end(replica.number);
                self.clean_up(worker, None).await;
                AT_ONCE
            }
            ChildEvent::OverLimit(reason) => {
                self.start_successor(replica, worker, &reason).await;
                return ControlFlow::Break(self.drain_child(&mut child, replica, shutdown).await);
            }
            ChildEvent::Draining => {
                return ControlFlow::Break(self.drain_child(&mut child, replica, shutdown).await);
            }
        })
    }

    /// The program could not be started, or the machine lacks what a process needs.
    async fn not_started(&self, replica: &mut Replica, error: &io::Error) -> NextStart {
        if is_shortage(error) {
            self.short_of(error).await;
            return NextStart::After(SHORTAGE_RETRY, WaitReason::Policy);
        }
        self.cannot_start(error).await;
        let death = Death { lived: None, registered: false, busy: false };
        self.decide_restart(replica, death).await
    }

    /// Waits until the next start. False when the replica is removed instead.
    async fn pause(&self, replica: &mut Replica, shutdown: &Shutdown) -> bool {
        let controls = &replica.controls;
        let waited = async {
            match replica.next_start {
                NextStart::After(wait, _) if wait.is_zero() => {}
                NextStart::After(wait, _) => sleep(wait).await,
                NextStart::Held | NextStart::Never => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shutdown.drain.cancelled() => false,
            () = controls.leave.cancelled() => false,
            () = waited => true,
            () = controls.replace.notified() => true,
            () = controls.restart.notified() => {
                replica.history.reset();
                true
            }
        }
    }

    async fn drain_child(&self, child: &mut Child, replica: &Replica, shutdown: &Shutdown) -> StoppedWorker {
        let (exit, killed) = child.leave(&replica.controls, shutdown, self.pool().grace + MARGIN).await;
        let clean = !killed && exit.status.as_ref().is_ok_and(|status| status.success());
        let left = StoppedWorker {
            worker: child.worker,
            pid: child.pid(),
            how: describe_end(&exit.status),
            killed,
            clean,
        };
        tracing::info!(pool = self.pool().name, worker = %left.worker, killed, "worker left: {}", left.how);
        if killed {
            self.clean_up(left.worker, None).await;
        } else if !clean {
            self.handle_death(child, &exit).await;
        }
        left
    }
}
