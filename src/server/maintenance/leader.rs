use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{collector, lost, promote, reap, unserved};
use crate::health::PendingAlerts;
use clawpool_backends::{
    broker::Broker,
    store::{Fence, Role, Store},
};
use clawpool_core::task::ProcessId;
use clawpool_engine::leadership::lead_while;

/// How long the others wait after a leader has died.
const LEASE: Duration = Duration::from_secs(3);

/// The work that one dispatcher does for all: promote due tasks, return dead workers' tasks, collect what the
/// broker gave up, find tasks whose messages are gone, tell of tasks that no worker serves. Any number of
/// processes run it; one leads at a time. `doubt`: a task that neither waits on its queue nor runs for so
/// long is looked for. Returns when `stop` fires.
pub(crate) async fn run(
    store: &dyn Store,
    broker: &dyn Broker,
    alerts: &PendingAlerts,
    doubt: Duration,
    me: ProcessId,
    stop: &CancellationToken,
) {
    let work = |fence: Fence, leading: CancellationToken| async move {
        tokio::join!(
            promote(store, broker, fence, &leading),
            reap(store, broker, &leading),
            collector::collect(store, broker, &leading),
            unserved::watch(store, broker, &leading),
            lost::search(store, broker, alerts, lost::Pace::of(doubt), &leading),
        );
    };
    lead_while(store, Role::Maintenance, me, LEASE, stop, work).await;
}
