use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{collector, lost, promote, reap, unserved};
use crate::health::Notices;
use clawpool_backends::{
    broker::Broker,
    store::{Fence, Role, Store},
};
use clawpool_core::task::WorkerId;
use clawpool_engine::leadership::lead_while;

/// How long a leader that died keeps the others waiting.
const LEASE: Duration = Duration::from_secs(3);

/// The work that one dispatcher does for all: promote due tasks, return dead workers' tasks, collect what the broker gave
/// up, find tasks whose messages are gone, tell of tasks that nobody serves. Any number of processes run it; one leads at a
/// time. `doubt`: a task that neither waits on its queue nor runs for so long is looked for. Returns when `stop` fires.
pub async fn steward(
    store: &dyn Store,
    broker: &dyn Broker,
    notices: &Notices,
    doubt: Duration,
    me: WorkerId,
    stop: &CancellationToken,
) {
    let duties = |fence: Fence, leading: CancellationToken| async move {
        tokio::join!(
            promote(store, broker, fence, &leading),
            reap(store, broker, &leading),
            collector::collect(store, broker, &leading),
            unserved::watch(store, broker, &leading),
            lost::search(store, broker, notices, lost::Pace::of(doubt), &leading),
        );
    };
    lead_while(store, Role::Steward, me, LEASE, stop, duties).await;
}
