use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{collector, lost, promote, reap, unserved};
use crate::{
    health::{Health, LATE},
    series,
};
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
/// Any number of processes run it; one leads at a time. `health` watches its loops and takes its alerts.
/// Returns when `stop` fires.
pub(crate) async fn run(
    servers: &Servers,
    health: &Health,
    times: Times,
    me: ProcessId,
    stop: &CancellationToken,
) {
    let store = &*servers.store;
    let broker = &*servers.broker;
    let loops = health.loops();
    let work = |fence: Fence, leading: CancellationToken| async move {
        let beat = times.heartbeat.max(RECONNECTS);
        let pace = lost::Pace::of(times.doubt);
        let walk = LATE.max(2 * pace.walk);
        let search = lost::search(store, broker, health.alerts(), pace, &leading);
        tokio::join!(
            loops.watch("promoter", LATE, promote(store, &*servers.path, fence, &leading)),
            loops.watch("reaper", LATE, reap(store, &*servers.path, beat, &leading)),
            loops.watch("collector", LATE, collector::collect(store, broker, &leading)),
            loops.watch("unserved", LATE, unserved::watch(store, broker, &leading)),
            loops.watch("series", 3 * series::INTERVAL, series::keep(store, fence, &leading)),
            loops.watch("lost", walk, search),
        );
    };
    loops.watch("maintenance", LATE, lead_while(store, Role::Maintenance, me, LEASE, stop, work)).await;
}
