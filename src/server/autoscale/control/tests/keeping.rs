use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{super::keeper::Keeper, world::*, *};
use clawpool_backends::store::{ControlStore, Fence, Role, Topic};
use clawpool_core::{
    config::{ForecastMode, Forecasting, Metric, Policy, Target},
    scaling::Limit,
    task::Queue,
};
use clawpool_engine::client::Cause;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn plan() -> Plan {
    let settings = Autoscale {
        min: 1,
        max: 6,
        every: SECOND,
        target: Target { settle: 2 * SECOND, cooldown_out: 2 * SECOND, cooldown_in: 2 * SECOND, ..Target::default() },
        forecast: Forecasting { mode: ForecastMode::Off, ..Forecasting::default() },
        ..Autoscale::default()
    };
    Plan { pool: "main".into(), slots: 10, queues: vec![Queue::P4], settings, lease: Duration::ZERO, memory: None }
}

pub(super) async fn fence(world: &World) -> Fence {
    world.lead(Role::Autoscaler, WorkerId::from_bytes([99; 16]), 1000 * SECOND).await.unwrap().unwrap()
}

/// Some seconds under one leader.
async fn keep(world: &World, plan: &Plan, fence: Option<Fence>, seconds: u32) {
    let stop = CancellationToken::new();
    let keeper = Keeper::new(plan, world, world, world, WorkerId::from_bytes([99; 16]), fence);
    let _ = tokio::time::timeout(seconds * SECOND - SECOND / 2, keeper.keep(&stop)).await;
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_pool_starts_at_once_grows_with_its_backlog_and_shrinks_by_draining() {
    let (world, mut plan) = (World::new(), plan());
    plan.settings.min = 3;
    let fence = Some(fence(&world).await);
    keep(&world, &plan, fence, 1).await;
    assert_eq!(world.size(), 3, "the least size does not wait");
    world.state().ready = 35;
    keep(&world, &plan, fence, 1).await;
    assert_eq!(world.size(), 5, "35 waiting tasks need 5 workers of 10 slots at 70 %");
    world.state().ready = 0;
    for number in [1, 3, 4] {
        world.state().members.get_mut(&number).unwrap().0 = 1;
    }
    keep(&world, &plan, fence, 6).await;
    let state = world.state();
    let leaving: Vec<u8> = state.members.iter().filter(|(_, (_, leaves))| *leaves).map(|(number, _)| *number).collect();
    assert_eq!(leaving, [2, 5], "the idle: {:?}", state.journal);
    drop(state);
    let sizes: Vec<_> = world.changes().iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(sizes, [(0, 3), (3, 5), (5, 3)], "every change, and no time of rest");
}

#[tokio::test(start_paused = true)]
async fn inv_7_an_outage_is_held_out() {
    let (world, plan) = (World::new(), plan());
    let fence = Some(fence(&world).await);
    world.state().ready = 35;
    keep(&world, &plan, fence, 1).await;
    assert_eq!(world.size(), 5);
    for outage in [|state: &mut State| state.broker_away = true, |state: &mut State| state.store_away = true] {
        world.state().ready = 0;
        outage(&mut world.state());
        keep(&world, &plan, fence, 60).await;
        assert_eq!(world.size(), 5, "nothing is known, so nobody leaves");
        (world.state().broker_away, world.state().store_away) = (false, false);
    }
    world.state().broker_away = true;
    keep(&world, &plan, fence, 3).await;
    assert!(world.status().trouble.is_some_and(|trouble| trouble.contains("the broker")), "and it is said");
}

#[tokio::test(start_paused = true)]
async fn a_silent_driver_is_waited_for_and_said() {
    let (world, plan) = (World::new(), plan());
    let fence = Some(fence(&world).await);
    let stop = CancellationToken::new();
    let mut keeper = Keeper::new(&plan, &world, &world, &world, WorkerId::from_bytes([99; 16]), fence);
    keeper.step(&stop).await;
    world.state().driver_away = true;
    world.state().ready = 35;
    keeper.step(&stop).await;
    assert!(world.status().trouble.is_some_and(|trouble| trouble.contains("CP-1601")));
    assert_eq!(world.size(), 1);
    world.state().driver_away = false;
    tokio::time::sleep(3 * SECOND).await;
    keeper.step(&stop).await;
    assert_eq!((world.size(), world.status().trouble), (5, None));
}

#[tokio::test(start_paused = true)]
async fn a_driver_silent_from_the_beginning_is_said_as_well() {
    let (world, plan) = (World::new(), plan());
    let fence = Some(fence(&world).await);
    world.state().driver_away = true;
    keep(&world, &plan, fence, 1).await;
    assert!(world.status().trouble.is_some_and(|trouble| trouble.contains("CP-1601")));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_driver_refuses_is_said_until_one_succeeds() {
    let (world, plan) = (World::new(), plan());
    let fence = Some(fence(&world).await);
    let stop = CancellationToken::new();
    let mut keeper = Keeper::new(&plan, &world, &world, &world, WorkerId::from_bytes([99; 16]), fence);
    world.state().driver_refuses = true;
    for _ in 0..3 {
        keeper.step(&stop).await;
        assert!(world.status().trouble.is_some_and(|trouble| trouble.contains("no room")));
    }
    world.state().driver_refuses = false;
    keeper.step(&stop).await;
    keeper.step(&stop).await;
    assert_eq!((world.size(), world.status().trouble), (1, None));
}

#[tokio::test(start_paused = true)]
async fn inv_7_who_no_longer_leads_changes_nothing() {
    let (world, plan) = (World::new(), plan());
    let old = fence(&world).await;
    world.state().leader = None;
    fence(&world).await;
    world.state().ready = 35;
    keep(&world, &plan, Some(old), 5).await;
    assert_eq!((world.size(), world.changes().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn inv_7_what_a_former_leader_started_is_counted_and_sent_home_through_the_store() {
    let (world, plan) = (World::new(), plan());
    let fence = Some(fence(&world).await);
    world.state().foreign = vec![worker(201, 0, true), worker(202, 3, true), worker(203, 0, false)];
    keep(&world, &plan, fence, 1).await;
    assert_eq!(world.size(), 0, "two living ones are more than the least size");
    keep(&world, &plan, fence, 9).await;
    assert_eq!(world.state().sent_home.first(), Some(&id(201)), "the idle one");
    assert!(!world.state().sent_home.contains(&id(202)));
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_brings_the_pool_back_to_its_size() {
    let (world, plan) = (World::new(), plan());
    let first = Some(fence(&world).await);
    world.state().ready = 35;
    keep(&world, &plan, first, 1).await;
    (world.state().members, world.state().ready) = (Default::default(), 0);
    keep(&world, &plan, first, 1).await;
    assert_eq!(world.size(), 5, "its workers left with the leader before");
    assert_eq!(world.changes().last().unwrap().cause, Cause::Takeover);
    world.state().members = Default::default();
    tokio::time::sleep(100 * SECOND).await;
    keep(&world, &plan, first, 1).await;
    assert_eq!(world.size(), 1, "what was long ago says nothing about now");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_changes_nothing() {
    let (world, plan) = (World::new(), plan());
    world.state().ready = 35;
    keep(&world, &plan, None, 2).await;
    assert_eq!(world.size(), 0);
    let changes = world.changes();
    assert!(changes.iter().all(|change| change.dry_run) && !changes.is_empty(), "{changes:?}");
    assert!(!world.state().notes.contains_key("autoscale/status/main"));
}

#[tokio::test(start_paused = true)]
async fn the_emergency_replaces_all_and_raises_the_alarm() {
    let (world, mut plan) = (World::new(), plan());
    plan.settings.policies = vec![Policy {
        name: "emergency".into(),
        metric: Metric::Healthy,
        above: None,
        below: Some(1.0),
        lasting: SECOND,
        add: None,
        remove: None,
        replace: true,
        cooldown: Some(60 * SECOND),
    }];
    plan.settings.min = 2;
    let fence = Some(fence(&world).await);
    keep(&world, &plan, fence, 2).await;
    world.state().healthy = false;
    keep(&world, &plan, fence, 10).await;
    assert_eq!(world.state().replaced, 2);
    let alerts = world.state().journal.iter().filter(|entry| entry.topic == Topic::Alert).count();
    assert_eq!((alerts, world.status().counts.replaced), (1, 1));
}

/// As it is shipped: it fires at once.
#[tokio::test(start_paused = true)]
async fn the_emergency_is_none_while_the_store_takes_no_writes() {
    for every in [SECOND, 5 * SECOND] {
        let (world, mut plan) = (World::new(), Plan { lease: 3 * SECOND, ..plan() });
        (plan.settings.min, plan.settings.every) = (2, every);
        let fence = Some(fence(&world).await);
        let stop = CancellationToken::new();
        let mut keeper = Keeper::new(&plan, &world, &world, &world, WorkerId::from_bytes([99; 16]), fence);
        let mut looks = async |count: usize| {
            for _ in 0..count {
                keeper.step(&stop).await;
                tokio::time::sleep(every).await;
            }
        };
        looks(5).await;
        (world.state().store_full, world.state().healthy) = (true, false);
        looks(20).await;
        assert_eq!(world.state().replaced, 0, "nobody could beat");
        // It takes writes again, and the first beats are yet to come.
        world.state().store_full = false;
        looks(1).await;
        world.state().healthy = true;
        looks(5).await;
        let replaced = world.state().replaced;
        assert_eq!((replaced, world.size()), (0, 2));
        world.state().healthy = false;
        looks(3).await;
        let replaced = world.state().replaced;
        assert_eq!((replaced, world.status().counts.replaced), (2, 1), "now they are ill");
    }
}

/// What was between two looks that are far apart is not known: the store may have been away just then.
#[tokio::test(start_paused = true)]
async fn one_look_at_which_all_leases_are_over_is_no_emergency() {
    let (world, mut plan) = (World::new(), Plan { lease: 3 * SECOND, ..plan() });
    plan.settings.every = 5 * SECOND;
    let fence = Some(fence(&world).await);
    let stop = CancellationToken::new();
    let mut keeper = Keeper::new(&plan, &world, &world, &world, WorkerId::from_bytes([99; 16]), fence);
    for healthy in [true, true, true, false, true, false, true] {
        world.state().healthy = healthy;
        keeper.step(&stop).await;
        tokio::time::sleep(5 * SECOND).await;
    }
    let replaced = world.state().replaced;
    assert_eq!((replaced, world.size()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn limits_are_shown() {
    let (world, plan) = (World::new(), plan());
    let fence = Some(fence(&world).await);
    world.state().ready = 3_000;
    keep(&world, &plan, fence, 1).await;
    let status = world.status();
    assert_eq!((status.wanted, status.decision.limits.contains(&Limit::Max)), (6, true));
    assert!(status.decision.votes.iter().any(|vote| vote.policy == "target" && vote.wants.is_some()));
}

#[tokio::test(start_paused = true)]
async fn samples_of_the_forecast_outlive_their_leader() {
    let (world, mut plan) = (World::new(), plan());
    plan.settings.forecast = Forecasting { mode: ForecastMode::Watch, step: 2 * SECOND, ..Forecasting::default() };
    let fence = Some(fence(&world).await);
    keep(&world, &plan, fence, 12).await;
    let before = world.status().forecast.unwrap().samples;
    assert!(before >= 4, "{before}");
    keep(&world, &plan, fence, 3).await;
    assert!(world.status().forecast.unwrap().samples >= before);
}
