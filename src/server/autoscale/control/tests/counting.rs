//! Nobody is counted twice: a pool that looks larger than it is would be made smaller.

use tokio_util::sync::CancellationToken;

use super::{
    super::keeper::Keeper,
    keeping::{fence, plan},
    world::*,
    *,
};

/// A pool at its largest, with work for all of them.
async fn full(world: &World, plan: &Plan) -> clawpool_backends::store::Fence {
    let fence = fence(world).await;
    world.state().ready = 3_000;
    look(world, plan, fence).await;
    assert_eq!(world.size(), 6);
    fence
}

async fn look(world: &World, plan: &Plan, fence: clawpool_backends::store::Fence) {
    let me = WorkerId::from_bytes([99; 16]);
    Keeper::new(plan, world, world, world, me, Some(fence)).step(&CancellationToken::new()).await;
}

#[tokio::test(start_paused = true)]
async fn inv_7_the_dead_are_not_counted_beside_their_successors() {
    let (world, plan) = (World::new(), plan());
    let fence = full(&world, &plan).await;
    // Three were killed, and others are in their places; the registry has not heard of it, or takes nobody for dead.
    world.state().foreign = vec![worker(101, 9, true), worker(102, 9, true), worker(103, 9, true)];
    world.state().ended = vec![id(101), id(102), id(103)];
    look(&world, &plan, fence).await;
    assert_eq!((world.status().current, world.size()), (6, 6), "nobody is sent home for the dead");
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_place_whose_worker_changes_while_the_registry_is_read_is_counted_once() {
    let (world, plan) = (World::new(), plan());
    let fence = full(&world, &plan).await;
    world.state().succeeding = vec![(4, 7), (5, 8), (6, 9)];
    look(&world, &plan, fence).await;
    assert_eq!((world.status().current, world.size()), (6, 6));
}
