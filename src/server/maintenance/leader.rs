use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{collector, lost, promote, reap, unserved};
use crate::{health::PendingAlerts, series};
use clawpool_backends::{
    path::Servers,
    store::{Fence, Role},
};
use clawpool_core::task::ProcessId;
use clawpool_engine::leadership::lead_while;

/// A living worker whose connections were cut beats again within one and a half of these, also where its
/// heartbeats are shorter.
const RECONNECTS: Duration = Duration::from_secs(1);

/// How long the others wait after a leader has died.
const LEASE: Duration = Duration::from_secs(3);

/// What the configuration says of time.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// How often workers beat.
    pub(crate) heartbeat: Duration,
    /// A task that neither waits on its queue nor runs for so long is looked for.
    pub(crate) doubt: Duration,
}

/// The work that one dispatcher does for all: promote due tasks, return dead workers' tasks, collect what the
/// broker gave up, find tasks whose messages are gone, tell of tasks that no worker serves, sum up figures.
/// Any number of processes run it; one leads at a time. `times`: see there. Returns when `stop` fires.
pub(crate) async fn run(
    servers: &Servers,
    alerts: &PendingAlerts,
    times: Times,
    me: ProcessId,
    stop: &CancellationToken,
) {
    let store = &*servers.store;
    let broker = &*servers.broker;
    let work = |fence: Fence, leading: CancellationToken| async move {
        tokio::join!(
            promote(store, &*servers.path, fence, &leading),
            reap(store, &*servers.path, times.heartbeat.max(RECONNECTS), &leading),
            collector::collect(store, broker, &leading),
            unserved::watch(store, broker, &leading),
            series::sum_up(store, fence, &leading),
            lost::search(store, broker, alerts, lost::Pace::of(times.doubt), &leading),
        );
    };
    lead_while(store, Role::Maintenance, me, LEASE, stop, work).await;
}
