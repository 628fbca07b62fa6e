use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{fake::FakeCluster, reconciling::plan, *};
use clawpool_backends::store::{Role, testing::TestStore};

const SECOND: Duration = Duration::from_secs(1);

/// An autoscaler whose store may be cut off or shared, with a driver and a broker of its own.
fn start_autoscaler(store: &Arc<TestStore>, own: &Arc<FakeCluster>) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let until = stop.clone();
    let autoscaler = Autoscaler {
        pools: vec![ManagedPool { plan: watch::Sender::new(plan()), driver: own.clone(), own: true }],
        broker: own.broker.clone(),
        store: store.clone(),
        me: ProcessId::new(),
    };
    (stop, tokio::spawn(async move { autoscaler.run(&until).await }))
}

#[tokio::test(start_paused = true)]
async fn inv_7_one_of_two_keeps_the_pool_and_the_other_takes_over() {
    let store = Arc::<TestStore>::default();
    let one = Arc::<FakeCluster>::default();
    let two = Arc::<FakeCluster>::default();
    let (stop, first) = start_autoscaler(&store, &one);
    sleep(SECOND).await;
    let (also, second) = start_autoscaler(&store, &two);
    sleep(60 * SECOND).await;
    assert_eq!((one.size(), two.size()), (1, 0));
    assert_eq!(live_autoscalers(&*store, &host()).await.unwrap().len(), 2, "the one that waits counts too");
    // As kill -9 does: it does not resign.
    first.abort();
    sleep(10 * SECOND).await;
    assert_eq!(two.size(), 1);
    sleep(10 * SECOND).await;
    assert_eq!(live_autoscalers(&*store, &host()).await.unwrap().len(), 1, "the dead one does not");
    drop(stop);
    also.cancel();
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn inv_7_children_stay_while_the_store_is_away_and_leave_once_another_leads() {
    let store = Arc::<TestStore>::default();
    let one = Arc::<FakeCluster>::default();
    let (stop, first) = start_autoscaler(&store, &one);
    sleep(SECOND).await;
    assert_eq!(one.size(), 1);
    store.state().away = true;
    sleep(60 * SECOND).await;
    assert_eq!(one.size(), 1, "no leader is known");
    store.state().away = false;
    store.usurp(Role::Autoscaler, 100 * SECOND);
    sleep(10 * SECOND).await;
    assert_eq!(one.size(), 0, "another one leads");
    stop.cancel();
    first.await.unwrap();
}
