//! No replica is counted twice: a pool that looks larger than it is would be made smaller.

use tokio_util::sync::CancellationToken;

use super::{
    fake::*,
    reconciling::{controller, fence, plan},
    *,
};

/// A pool at its largest, with work for all of them.
async fn full(cluster: &FakeCluster, plan: &Plan) -> clawpool_backends::store::Fence {
    let fence = fence(cluster).await;
    cluster.broker.state().ready = 3_000;
    pass(cluster, plan, fence).await;
    assert_eq!(cluster.size(), 6);
    fence
}

async fn pass(cluster: &FakeCluster, plan: &Plan, fence: clawpool_backends::store::Fence) {
    controller(cluster, plan, Some(fence)).reconcile(&CancellationToken::new()).await;
}

#[tokio::test(start_paused = true)]
async fn inv_7_the_dead_are_not_counted_beside_their_successors() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = full(&cluster, &plan).await;
    // Three were killed and replaced; the registry still shows them, or takes no worker for dead.
    for dead in [101, 102, 103] {
        cluster.register(worker(dead, 9, true));
        cluster.state().ended.push(id(dead));
    }
    pass(&cluster, &plan, fence).await;
    assert_eq!((cluster.status().current, cluster.size()), (6, 6), "no worker is drained for the dead ones");
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_replica_whose_worker_changes_while_the_registry_is_read_is_counted_once() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = full(&cluster, &plan).await;
    cluster.store.hold_readings();
    let change = async {
        for (dead, successor) in [(4, 7), (5, 8), (6, 9)] {
            cluster.succeed(dead, successor);
        }
        cluster.store.readings.add_permits(1);
    };
    tokio::join!(pass(&cluster, &plan, fence), change);
    assert_eq!((cluster.status().current, cluster.size()), (6, 6));
}
