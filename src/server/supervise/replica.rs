//! A replica of a pool: one worker process after the other, until the replica is removed.

use std::sync::Arc;

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    StoppedWorker,
    child::{Child, ChildEvent, ChildExit, describe_end},
    crash::{self, Cause, CrashReport},
    recycle::Reason,
    replicas::Waiting,
    restart::{Death, NextStart, Restarts, WaitReason},
    supervisor::{MARGIN, Supervisor},
};
use clawpool_core::task::{ProcessId, TaskId, Timestamp};
use clawpool_engine::{
    alert::Event,
    process::{Mark, SHORTAGE_RETRY, Shutdown, end_marked_aside, is_shortage, signal},
};

/// Time to give a dead worker's tasks back. What is left then is done by the reaper, after the lease.
const CLEAN_UP_TIME: std::time::Duration = std::time::Duration::from_secs(5);

/// How the worker of one replica is told what to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Controls {
    /// Finish and leave; no worker comes after it.
    pub(super) leave: CancellationToken,
    /// End now; another one comes.
    pub(super) replace: Arc<Notify>,
    /// Start a worker that is down now, without waiting for the policy.
    pub(super) restart: Arc<Notify>,
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
        let left = loop {
            if !self.pause(&mut replica, shutdown).await {
                break None;
            }
            let worker = self.lock_replicas().start(replica.number);
            let mut child = match Child::spawn(&self.pool, worker) {
                Ok(child) => child,
                Err(error) if is_shortage(&error) => {
                    self.short_of(&error).await;
                    replica.next_start = NextStart::After(SHORTAGE_RETRY, WaitReason::Policy);
                    continue;
                }
                Err(error) => {
                    self.cannot_start(&error).await;
                    let death = Death { lived: None, registered: false, busy: false };
                    replica.next_start = self.decide_restart(&mut replica, death).await;
                    continue;
                }
            };
            let event = child.live(&self.pool, self.snapshots.subscribe(), &replica.controls, shutdown).await;
            // Its successor has an id of its own from now on.
            match event {
                // It was told to leave from outside: an operator's drain, a signal.
                ChildEvent::Exited(exit) if exit.is_clean() && child.seen.is_some() => {
                    self.lock_replicas().end(replica.number);
                    tracing::info!(pool = self.pool.name, %worker, "worker left and is replaced");
                    self.clean_up(worker, None).await;
                    replica.next_start = NextStart::After(std::time::Duration::ZERO, WaitReason::Policy);
                }
                ChildEvent::Exited(exit) => {
                    self.lock_replicas().end(replica.number);
                    let death = self.handle_death(&mut child, &exit).await;
                    replica.next_start = self.decide_restart(&mut replica, death).await;
                }
                ChildEvent::Replaced => {
                    tracing::warn!(pool = self.pool.name, %worker, "worker ended to be replaced");
                    self.lock_replicas().end(replica.number);
                    self.clean_up(worker, None).await;
                    replica.next_start = NextStart::After(std::time::Duration::ZERO, WaitReason::Policy);
                }
                ChildEvent::OverLimit(reason) => {
                    self.start_successor(&mut replica, worker, &reason).await;
                    break Some(self.drain_child(&mut child, &replica, shutdown).await);
                }
                ChildEvent::Draining => break Some(self.drain_child(&mut child, &replica, shutdown).await),
            }
        };
        self.lock_replicas().remove(replica.number);
        left
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

    /// Asks the restart policy. Shows in the status what is waited for, and raises an alert where one is due.
    async fn decide_restart(&self, replica: &mut Replica, death: Death) -> NextStart {
        let next_start = replica.history.after(death, Instant::now(), &mut rand::rng());
        let (event, why) = match next_start {
            NextStart::After(_, WaitReason::Policy) => (None, "a worker died".to_owned()),
            NextStart::After(_, WaitReason::Limit) => {
                (Some(Event::RestartLimit), "a worker died too often".to_owned())
            }
            NextStart::After(_, WaitReason::Breaker) => {
                (Some(Event::RestartBreaker), "a worker fails at its start".to_owned())
            }
            NextStart::Held => {
                let why = "a worker died and waits for `clawpool workers restart`";
                (Some(Event::RestartHeld), why.to_owned())
            }
            NextStart::Never => {
                (Some(Event::NotReplaced), "a worker died; the pool's policy replaces none".to_owned())
            }
        };
        let text = match next_start {
            NextStart::After(wait, WaitReason::Limit) => format!("{why}: the next one starts in {wait:.0?}"),
            NextStart::After(wait, WaitReason::Breaker) => format!("{why}: the next try is in {wait:.0?}"),
            _ => why.clone(),
        };
        let until = match next_start {
            NextStart::After(wait, _) => Some(Instant::now() + wait),
            NextStart::Held | NextStart::Never => None,
        };
        let why = event.map_or_else(|| why.clone(), |event| format!("{}: {why}", event.code()));
        self.lock_replicas().set_waiting(replica.number, Waiting { why, until });
        if let Some(event) = event {
            self.alert(event, &text).await;
        }
        next_start
    }

    /// Adds a replica for the successor of a healthy worker that leaves.
    async fn start_successor(&self, replica: &mut Replica, worker: ProcessId, reason: &Reason) {
        // It counts as a restart, so that a worker that exceeds its limit at once is not replaced in a storm.
        let death = Death { lived: None, registered: true, busy: true };
        let next_start = match replica.history.clone().after(death, Instant::now(), &mut rand::rng()) {
            NextStart::After(_, WaitReason::Policy) | NextStart::Held | NextStart::Never => {
                NextStart::After(Default::default(), WaitReason::Policy)
            }
            limited => limited,
        };
        let mut history = replica.history.clone();
        let _ = history.after(death, Instant::now(), &mut rand::rng());
        replica.controls.leave.cancel();
        self.add(history, next_start);
        self.alert(reason.event, &format!("worker {worker} leaves and is replaced: {}", reason.text)).await;
    }

    async fn drain_child(&self, child: &mut Child, replica: &Replica, shutdown: &Shutdown) -> StoppedWorker {
        let (exit, killed) = child.leave(&replica.controls, shutdown, self.pool.grace + MARGIN).await;
        let clean = !killed && exit.status.as_ref().is_ok_and(|status| status.success());
        let left = StoppedWorker {
            worker: child.worker,
            pid: child.pid(),
            how: describe_end(&exit.status),
            killed,
            clean,
        };
        tracing::info!(pool = self.pool.name, worker = %left.worker, killed, "worker left: {}", left.how);
        if killed {
            self.clean_up(left.worker, None).await;
        } else if !clean {
            self.handle_death(child, &exit).await;
        }
        left
    }

    /// Cleans up after a worker that died and reports the crash.
    async fn handle_death(&self, child: &mut Child, exit: &ChildExit) -> Death {
        let worker = child.worker;
        tracing::error!(pool = self.pool.name, %worker, "worker ended unasked: {}", exit.describe());
        if exit.hung {
            self.alert(Event::Hung, &format!("worker {worker} {}", exit.describe())).await;
        }
        let tasks = self.clean_up(worker, exit.polled.as_deref()).await;
        // Where the store did not answer, the last heartbeat decides.
        let ran = child.seen.as_ref().is_some_and(|info| info.beat.running.iter().any(|tasks| *tasks > 0));
        let (registered, busy) = (child.seen.is_some() || !tasks.is_empty(), ran || !tasks.is_empty());
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
            pool: self.pool.name.clone(),
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

    /// Sends a dead worker's tasks back at once and answers which it had claimed. Its programs are ended
    /// first, so that none runs twice at a time.
    async fn clean_up(&self, worker: ProcessId, polled: Option<&[TaskId]>) -> Vec<TaskId> {
        let killed = end_marked_aside(vec![Mark::owner(&worker.to_string())]).await;
        if killed > 0 {
            tracing::warn!(%worker, killed, "ended the programs that the worker left running");
        }
        let mut tasks = Vec::new();
        match timeout(CLEAN_UP_TIME, self.give_back(worker, polled, &mut tasks)).await {
            Ok(Ok(messages)) => {
                tracing::info!(%worker, messages, "the worker's tasks are back on their queues")
            }
            Ok(Err(error)) => {
                tracing::warn!(%worker, %error, "the worker's tasks go back when its lease ends")
            }
            Err(_) => {
                tracing::warn!(%worker, "no answer within {CLEAN_UP_TIME:?}; the worker's tasks go back \
                    when its lease ends")
            }
        }
        tasks
    }

    async fn give_back(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
        tasks: &mut Vec<TaskId>,
    ) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        *tasks = self.store.end_lease(worker, polled).await?;
        let messages = self.broker.reclaim(worker).await?;
        self.store.forget(worker).await?;
        Ok(messages)
    }
}
