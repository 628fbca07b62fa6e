use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{AutoscalerStore, heartbeat::send_heartbeats, pool_controller::PoolController};
use crate::autoscale::{
    Plan,
    driver::{Driver, DriverError},
};
use clawpool_backends::{
    broker::Broker,
    store::{Fence, Role},
};
use clawpool_core::task::ProcessId;
use clawpool_engine::leadership::{Leadership, lead_and_report};

/// How long the others wait after a leader has died.
const LEASE: Duration = Duration::from_secs(5);

/// A pool and the driver that runs its workers.
pub struct ManagedPool {
    /// Its controller begins anew with each plan.
    pub plan: watch::Sender<Plan>,
    pub driver: Arc<dyn Driver>,
    /// The workers are children of this process: they leave when another process leads.
    pub own: bool,
}

/// Keeps every pool of a configuration at its size. Any number of processes may run one; the leader acts.
pub struct Autoscaler<S: ?Sized> {
    pub pools: Vec<ManagedPool>,
    pub broker: Arc<dyn Broker>,
    pub store: Arc<S>,
    pub me: ProcessId,
}

impl<S: AutoscalerStore + ?Sized> Autoscaler<S> {
    /// Returns when `stop` fires. What becomes of the workers then is for their drivers.
    pub async fn run(&self, stop: &CancellationToken) {
        let (leadership, seen) = watch::channel(Leadership::Unknown);
        let work = |fence: Fence, leading: CancellationToken| async move {
            self.control(Some(fence), &leading).await;
        };
        let leading =
            lead_and_report(&*self.store, Role::Autoscaler, self.me, LEASE, stop, &leadership, work);
        let yielding = stop.run_until_cancelled(self.drain_when_following(seen));
        let heartbeats = stop.run_until_cancelled(send_heartbeats(&*self.store, self.me));
        tokio::join!(leading, yielding, heartbeats);
    }

    /// Decides and records its decisions, and changes nothing. The leader goes on meanwhile.
    pub async fn watch(&self, stop: &CancellationToken) {
        self.control(None, stop).await;
    }

    async fn control(&self, fence: Option<Fence>, stop: &CancellationToken) {
        join_all(self.pools.iter().map(|pool| self.control_pool(pool, fence, stop))).await;
    }

    /// A controller with a new plan takes over from the one before as a new leader does from an old one.
    async fn control_pool(&self, pool: &ManagedPool, fence: Option<Fence>, stop: &CancellationToken) {
        let mut plans = pool.plan.subscribe();
        while !stop.is_cancelled() {
            let plan = plans.borrow_and_update().clone();
            let replaced = stop.child_token();
            let controller =
                PoolController::new(&plan, &*pool.driver, &*self.broker, &*self.store, self.me, fence);
            let replace = async {
                let _ = replaced.run_until_cancelled(plans.changed()).await;
                replaced.cancel();
            };
            tokio::join!(controller.run(&replaced), replace);
        }
    }

    /// The children of a process that stopped leading stay while no other leader is known: the store may be
    /// away, and work goes on. Once another process leads, they finish what they run and leave.
    async fn drain_when_following(&self, mut seen: watch::Receiver<Leadership>) {
        while seen.wait_for(|leadership| *leadership == Leadership::Follower).await.is_ok() {
            for pool in self.pools.iter().filter(|pool| pool.own) {
                if let Err(error) = drain_all(&*pool.driver).await {
                    let pool = &pool.plan.borrow().pool;
                    tracing::warn!(pool, %error, "workers stay although another process leads");
                }
            }
            if seen.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn drain_all(driver: &dyn Driver) -> Result<(), DriverError> {
    let staying =
        driver.replicas().await?.into_iter().filter(|replica| !replica.draining).map(|replica| replica.id);
    let staying: Vec<_> = staying.collect();
    if staying.is_empty() {
        return Ok(());
    }
    tracing::info!(workers = staying.len(), "another process leads; the workers of this one leave");
    driver.drain(&staying).await
}
