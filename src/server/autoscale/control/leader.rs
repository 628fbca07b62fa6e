use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Memory, keeper::Keeper, presence::stay_present};
use crate::autoscale::{
    Plan,
    driver::{Driver, DriverError},
};
use clawpool_backends::{
    broker::Broker,
    store::{Fence, Role},
};
use clawpool_core::task::WorkerId;
use clawpool_engine::leadership::{Standing, lead_and_tell};

/// How long a leader that died keeps the others waiting.
const LEASE: Duration = Duration::from_secs(5);

/// A pool and what runs its workers.
pub struct Kept {
    pub plan: Plan,
    pub driver: Arc<dyn Driver>,
    /// The workers are children of this process: they leave when another process leads.
    pub own: bool,
}

/// Keeps every pool of a configuration. Any number of processes may; one of them acts.
pub struct Autoscaler<S: ?Sized> {
    pub pools: Vec<Kept>,
    pub broker: Arc<dyn Broker>,
    pub store: Arc<S>,
    pub me: WorkerId,
}

impl<S: Memory + ?Sized> Autoscaler<S> {
    /// Returns when `stop` fires. What becomes of the workers then is for their drivers.
    pub async fn run(&self, stop: &CancellationToken) {
        let (standing, seen) = watch::channel(Standing::Unknown);
        let reign = |fence: Fence, leading: CancellationToken| async move {
            self.keep(Some(fence), &leading).await;
        };
        let leading = lead_and_tell(&*self.store, Role::Autoscaler, self.me, LEASE, stop, &standing, reign);
        let yielding = stop.run_until_cancelled(self.make_way(seen));
        let present = stop.run_until_cancelled(stay_present(&*self.store, self.me));
        tokio::join!(leading, yielding, present);
    }

    /// Decides and writes down, and changes nothing. Whoever leads goes on meanwhile.
    pub async fn watch(&self, stop: &CancellationToken) {
        self.keep(None, stop).await;
    }

    async fn keep(&self, fence: Option<Fence>, stop: &CancellationToken) {
        let keepers = self
            .pools
            .iter()
            .map(|kept| Keeper::new(&kept.plan, &*kept.driver, &*self.broker, &*self.store, self.me, fence).keep(stop));
        join_all(keepers).await;
    }

    /// The children of a process that stopped leading stay while nobody else is known to lead: the store may be away,
    /// and work goes on. Once somebody else leads, they finish what they run and leave.
    async fn make_way(&self, mut seen: watch::Receiver<Standing>) {
        while seen.wait_for(|standing| *standing == Standing::Follows).await.is_ok() {
            for kept in self.pools.iter().filter(|kept| kept.own) {
                if let Err(error) = send_home(&*kept.driver).await {
                    tracing::warn!(pool = kept.plan.pool, %error, "workers stay although another process leads");
                }
            }
            if seen.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn send_home(driver: &dyn Driver) -> Result<(), DriverError> {
    let staying = driver.members().await?.into_iter().filter(|member| !member.draining).map(|member| member.id);
    let staying: Vec<_> = staying.collect();
    if staying.is_empty() {
        return Ok(());
    }
    tracing::info!(workers = staying.len(), "another process leads; the workers of this one leave");
    driver.drain(&staying).await
}
