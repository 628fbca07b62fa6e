//! A place of a pool: one worker process after the other, until somebody takes the place away.

use std::sync::Arc;

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Left,
    child::{Child, Fate, Turn, ended},
    children::{Children, MARGIN},
    crash::{self, Cause, CrashReport},
    recycle::Reason,
    restart::{Death, Restarts, Verdict, Why},
    roster::Waits,
};
use clawpool_core::task::{TaskId, Timestamp, WorkerId};
use clawpool_engine::{
    alert::Event,
    process::{Mark, SOON, Shutdown, end_marked_aside, is_shortage, signal},
};

/// Whatever a dead worker's burial does not achieve by then is left to the steward, after the lease.
const BURIAL: std::time::Duration = std::time::Duration::from_secs(5);

/// What the worker of one place is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    /// Finish and leave; nobody comes after it.
    pub(super) leave: CancellationToken,
    /// End now; another one comes.
    pub(super) replace: Arc<Notify>,
    /// Start what is down, whatever the policy says.
    pub(super) restart: Arc<Notify>,
}

/// A place whose worker is yet to start.
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) orders: Orders,
    pub(super) history: Restarts,
    /// What the start has to wait for.
    pub(super) verdict: Verdict,
}

impl Children {
    /// Answers how the last worker left.
    pub(super) async fn keep_place(&self, mut place: Place, shutdown: &Shutdown) -> Option<Left> {
        let left = loop {
            if !self.pause(&mut place, shutdown).await {
                break None;
            }
            let worker = self.roster().up(place.number);
            let mut child = match Child::spawn(&self.pool, worker) {
                Ok(child) => child,
                Err(error) if is_shortage(&error) => {
                    self.short_of(&error).await;
                    place.verdict = Verdict::After(SOON, Why::Policy);
                    continue;
                }
                Err(error) => {
                    self.cannot_start(&error).await;
                    let death = Death { lived: None, registered: false, busy: false };
                    place.verdict = self.sentence(&mut place, death).await;
                    continue;
                }
            };
            let turn = child.live(&self.pool, self.looks.subscribe(), &place.orders, shutdown).await;
            // Its successor has an id of its own from now on.
            match turn {
                // Somebody else told it to leave: an operator's drain, a signal.
                Turn::Died(fate) if fate.is_leave() && child.seen.is_some() => {
                    self.roster().down(place.number);
                    tracing::info!(pool = self.pool.name, %worker, "worker left and is replaced");
                    self.bury(worker, None).await;
                    place.verdict = Verdict::After(std::time::Duration::ZERO, Why::Policy);
                }
                Turn::Died(fate) => {
                    self.roster().down(place.number);
                    let death = self.mourn(&mut child, &fate).await;
                    place.verdict = self.sentence(&mut place, death).await;
                }
                Turn::Replaced => {
                    tracing::warn!(pool = self.pool.name, %worker, "worker ended to be replaced");
                    self.roster().down(place.number);
                    self.bury(worker, None).await;
                    place.verdict = Verdict::After(std::time::Duration::ZERO, Why::Policy);
                }
                Turn::Overgrown(reason) => {
                    self.succeed(&mut place, worker, &reason).await;
                    break Some(self.dismiss(&mut child, &place, shutdown).await);
                }
                Turn::Dismissed => break Some(self.dismiss(&mut child, &place, shutdown).await),
            }
        };
        self.roster().close(place.number);
        left
    }

    /// Waits as the verdict says. False when the place is taken away instead.
    async fn pause(&self, place: &mut Place, shutdown: &Shutdown) -> bool {
        let orders = &place.orders;
        let waited = async {
            match place.verdict {
                Verdict::After(wait, _) if wait.is_zero() => {}
                Verdict::After(wait, _) => sleep(wait).await,
                Verdict::Held | Verdict::Never => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shutdown.drain.cancelled() => false,
            () = orders.leave.cancelled() => false,
            () = waited => true,
            () = orders.replace.notified() => true,
            () = orders.restart.notified() => {
                place.history.pardon();
                true
            }
        }
    }

    /// What the policy makes of a death; people learn of what they must know, and the status of what is waited for.
    async fn sentence(&self, place: &mut Place, death: Death) -> Verdict {
        let verdict = place.history.after(death, Instant::now(), &mut rand::rng());
        let (event, why) = match verdict {
            Verdict::After(_, Why::Policy) => (None, "a worker died".to_owned()),
            Verdict::After(_, Why::Limit) => (Some(Event::RestartLimit), "a worker died too often".to_owned()),
            Verdict::After(_, Why::Breaker) => (Some(Event::RestartBreaker), "a worker fails at its start".to_owned()),
            Verdict::Held => {
                let why = "a worker died and waits for `clawpool workers restart`";
                (Some(Event::RestartHeld), why.to_owned())
            }
            Verdict::Never => (Some(Event::NotReplaced), "a worker died; the pool's policy replaces none".to_owned()),
        };
        let text = match verdict {
            Verdict::After(wait, Why::Limit) => format!("{why}: the next one starts in {wait:.0?}"),
            Verdict::After(wait, Why::Breaker) => format!("{why}: the next try is in {wait:.0?}"),
            _ => why.clone(),
        };
        let until = match verdict {
            Verdict::After(wait, _) => Some(Instant::now() + wait),
            Verdict::Held | Verdict::Never => None,
        };
        let why = event.map_or_else(|| why.clone(), |event| format!("{}: {why}", event.code()));
        self.roster().waits(place.number, Waits { why, until });
        if let Some(event) = event {
            self.alert(event, &text).await;
        }
        verdict
    }

    /// Opens a place for the successor of a worker that is well and leaves.
    async fn succeed(&self, place: &mut Place, worker: WorkerId, reason: &Reason) {
        // It counts as a restart, so that a worker that outgrows its limit at once is not replaced in a storm.
        let death = Death { lived: None, registered: true, busy: true };
        let verdict = match place.history.clone().after(death, Instant::now(), &mut rand::rng()) {
            Verdict::After(_, Why::Policy) | Verdict::Held | Verdict::Never => {
                Verdict::After(Default::default(), Why::Policy)
            }
            limited => limited,
        };
        let mut history = place.history.clone();
        let _ = history.after(death, Instant::now(), &mut rand::rng());
        place.orders.leave.cancel();
        self.open(history, verdict);
        self.alert(reason.event, &format!("worker {worker} leaves and is replaced: {}", reason.text)).await;
    }

    async fn dismiss(&self, child: &mut Child, place: &Place, shutdown: &Shutdown) -> Left {
        let (fate, killed) = child.leave(&place.orders, shutdown, self.pool.grace + MARGIN).await;
        let clean = !killed && fate.status.as_ref().is_ok_and(|status| status.success());
        let left = Left { worker: child.worker, pid: child.pid(), how: ended(&fate.status), killed, clean };
        tracing::info!(pool = self.pool.name, worker = %left.worker, killed, "worker left: {}", left.how);
        if killed {
            self.bury(left.worker, None).await;
        } else if !clean {
            self.mourn(child, &fate).await;
        }
        left
    }

    /// Buries a worker that died and reports its death.
    async fn mourn(&self, child: &mut Child, fate: &Fate) -> Death {
        let worker = child.worker;
        tracing::error!(pool = self.pool.name, %worker, "worker ended unasked: {}", fate.describe());
        if fate.hung {
            self.alert(Event::Hung, &format!("worker {worker} {}", fate.describe())).await;
        }
        let tasks = self.bury(worker, fate.polled.as_deref()).await;
        // A store that could not say leaves it to the last heartbeat.
        let ran = child.seen.as_ref().is_some_and(|info| info.beat.running.iter().any(|tasks| *tasks > 0));
        let (registered, busy) = (child.seen.is_some() || !tasks.is_empty(), ran || !tasks.is_empty());
        self.report(child, fate, tasks, registered).await;
        Death { lived: Some(fate.lived), registered, busy }
    }

    async fn report(&self, child: &mut Child, fate: &Fate, tasks: Vec<TaskId>, registered: bool) {
        let log = child.tail.last().await;
        let status = fate.status.as_ref().ok();
        let cause = match status {
            _ if fate.hung => Cause::WatchdogTimeout,
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
            exit: fate.describe(),
            lived: fate.lived,
            tasks,
            usage: child.seen.as_ref().and_then(|info| info.beat.usage),
            log,
        };
        if let Some(entry) = report.entry() {
            self.journal(entry).await;
        }
    }

    /// Sends a dead worker's tasks back at once and answers which it had claimed. Its programs are ended first, so that
    /// none runs twice at a time.
    async fn bury(&self, worker: WorkerId, polled: Option<&[TaskId]>) -> Vec<TaskId> {
        let killed = end_marked_aside(vec![Mark::owner(&worker.to_string())]).await;
        if killed > 0 {
            tracing::warn!(%worker, killed, "ended the programs that the worker left running");
        }
        let mut tasks = Vec::new();
        match timeout(BURIAL, self.give_back(worker, polled, &mut tasks)).await {
            Ok(Ok(messages)) => tracing::info!(%worker, messages, "the worker's tasks are back on their queues"),
            Ok(Err(error)) => tracing::warn!(%worker, %error, "the worker's tasks go back when its lease ends"),
            Err(_) => {
                tracing::warn!(%worker, "no answer within {BURIAL:?}; the worker's tasks go back when its lease ends")
            }
        }
        tasks
    }

    async fn give_back(
        &self,
        worker: WorkerId,
        polled: Option<&[TaskId]>,
        tasks: &mut Vec<TaskId>,
    ) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        *tasks = self.store.end_lease(worker, polled).await?;
        let messages = self.broker.reclaim(worker).await?;
        self.store.forget(worker).await?;
        Ok(messages)
    }
}
