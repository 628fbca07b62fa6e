//! No replica is counted twice: a pool that looks larger than it is would be made smaller.

use tokio_util::sync::CancellationToken;

use super::{
    super::pool_controller::PoolController,
    fake::*,
    reconciling::{fence, plan},
    *,
};

/// A pool at its largest, with work for all of them.
async fn full(cluster: &FakeCluster, plan: &Plan) -> clawpool_backends::store::Fence {
    let fence = fence(cluster).await;
    cluster.state().ready = 3_000;
    pass(cluster, plan, fence).await;
    assert_eq!(cluster.size(), 6);
    fence
}

async fn pass(cluster: &FakeCluster, plan: &Plan, fence: clawpool_backends::store::Fence) {
    let me = ProcessId::from_bytes([99; 16]);
    PoolController::new(plan, cluster, cluster, cluster, me, Some(fence))
        .reconcile(&CancellationToken::new())
        .await;
}

#[tokio::test(start_paused = true)]
async fn inv_7_the_dead_are_not_counted_beside_their_successors() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = full(&cluster, &plan).await;
    // Three were killed and replaced; the registry still shows them, or takes no worker for dead.
    cluster.state().unmanaged = vec![worker(101, 9, true), worker(102, 9, true), worker(103, 9, true)];
    cluster.state().ended = vec![id(101), id(102), id(103)];
    pass(&cluster, &plan, fence).await;
    assert_eq!((cluster.status().current, cluster.size()), (6, 6), "no worker is drained for the dead ones");
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_replica_whose_worker_changes_while_the_registry_is_read_is_counted_once() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = full(&cluster, &plan).await;
    cluster.state().succeeding = vec![(4, 7), (5, 8), (6, 9)];
    pass(&cluster, &plan, fence).await;
    assert_eq!((cluster.status().current, cluster.size()), (6, 6));
}
