use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{keeping::plan, world::World, *};

const SECOND: Duration = Duration::from_secs(1);

/// An autoscaler whose store may be cut off or shared, with a driver of its own.
fn stand(shared: &Arc<World>, own: &Arc<World>) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let until = stop.clone();
    let autoscaler = Autoscaler {
        pools: vec![Kept { plan: plan(), driver: own.clone(), own: true }],
        broker: shared.clone(),
        store: shared.clone(),
        me: WorkerId::new(),
    };
    (stop, tokio::spawn(async move { autoscaler.run(&until).await }))
}

#[tokio::test(start_paused = true)]
async fn inv_7_one_of_two_keeps_the_pool_and_the_other_takes_over() {
    let (store, one, two) = (Arc::new(World::new()), Arc::new(World::new()), Arc::new(World::new()));
    let (stop, first) = stand(&store, &one);
    sleep(SECOND).await;
    let (also, second) = stand(&store, &two);
    sleep(60 * SECOND).await;
    assert_eq!((one.size(), two.size()), (1, 0));
    assert_eq!(present(&*store, &host()).await.unwrap().len(), 2, "who waits is there too");
    // As kill -9 does: nobody resigns.
    first.abort();
    sleep(10 * SECOND).await;
    assert_eq!(two.size(), 1);
    sleep(10 * SECOND).await;
    assert_eq!(present(&*store, &host()).await.unwrap().len(), 1, "the dead are not");
    drop(stop);
    also.cancel();
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn inv_7_children_stay_while_the_store_is_away_and_leave_once_another_leads() {
    let (store, one) = (Arc::new(World::new()), Arc::new(World::new()));
    let (stop, first) = stand(&store, &one);
    sleep(SECOND).await;
    assert_eq!(one.size(), 1);
    store.state().store_away = true;
    sleep(60 * SECOND).await;
    assert_eq!(one.size(), 1, "nobody is known to lead");
    store.state().store_away = false;
    store.state().leader = Some((WorkerId::new(), 99, tokio::time::Instant::now() + 100 * SECOND));
    sleep(10 * SECOND).await;
    assert_eq!(one.size(), 0, "another one leads");
    stop.cancel();
    first.await.unwrap();
}
