use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{super::pool_controller::PoolController, fake::*, *};
use clawpool_backends::store::{ControlStore, Fence, Role, Topic, testing::TestStore};
use clawpool_core::{
    config::{ForecastMode, Forecasting, Metric, Policy, Target},
    scaling::Limit,
    task::Queue,
};
use clawpool_engine::client::Cause;

const SECOND: Duration = Duration::from_secs(1);

/// The leader.
const ME: ProcessId = ProcessId::from_bytes([99; 16]);

pub(super) fn plan() -> Plan {
    let settings = Autoscale {
        min: 1,
        max: 6,
        every: SECOND,
        target: Target {
            settle: 2 * SECOND,
            cooldown_out: 2 * SECOND,
            cooldown_in: 2 * SECOND,
            ..Target::default()
        },
        forecast: Forecasting { mode: ForecastMode::Off, ..Forecasting::default() },
        ..Autoscale::default()
    };
    Plan {
        pool: "main".into(),
        slots: 10,
        queues: vec![Queue::P4.into()],
        settings,
        lease: Duration::ZERO,
        memory: None,
    }
}

pub(super) async fn fence(cluster: &FakeCluster) -> Fence {
    cluster.store.lead(Role::Autoscaler, ME, 1000 * SECOND).await.unwrap().unwrap()
}

pub(super) fn controller<'a>(
    cluster: &'a FakeCluster,
    plan: &'a Plan,
    fence: Option<Fence>,
) -> PoolController<'a, TestStore> {
    PoolController::new(plan, cluster, &*cluster.broker, &*cluster.store, ME, fence)
}

/// Some seconds under one leader.
async fn keep(cluster: &FakeCluster, plan: &Plan, fence: Option<Fence>, seconds: u32) {
    let stop = CancellationToken::new();
    let controller = controller(cluster, plan, fence);
    let _ = tokio::time::timeout(seconds * SECOND - SECOND / 2, controller.run(&stop)).await;
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_pool_starts_at_once_grows_with_its_backlog_and_shrinks_by_draining() {
    let cluster = FakeCluster::default();
    let mut plan = plan();
    plan.settings.min = 3;
    let fence = Some(fence(&cluster).await);
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 3, "the least size does not wait");
    cluster.broker.state().ready = 35;
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 5, "35 waiting tasks need 5 workers of 10 slots at 70 %");
    cluster.broker.state().ready = 0;
    for number in [1, 3, 4] {
        cluster.store.state().workers.get_mut(&id(number)).unwrap().beat.running = vec![1];
    }
    keep(&cluster, &plan, fence, 6).await;
    let replicas = cluster.state().replicas.clone();
    let leaving: Vec<u8> =
        replicas.into_iter().filter_map(|(number, leaves)| leaves.then_some(number)).collect();
    assert_eq!(leaving, [2, 5], "the idle: {:?}", cluster.store.state().journal);
    let sizes: Vec<_> = cluster.changes().iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(sizes, [(0, 3), (3, 5), (5, 3)], "every change, and no time of rest");
}

#[tokio::test(start_paused = true)]
async fn inv_7_an_outage_is_held_out() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = Some(fence(&cluster).await);
    cluster.broker.state().ready = 35;
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 5);
    cluster.broker.state().ready = 0;
    for (broker_away, store_away) in [(true, false), (false, true)] {
        cluster.broker.state().away = broker_away;
        cluster.store.state().away = store_away;
        keep(&cluster, &plan, fence, 60).await;
        assert_eq!(cluster.size(), 5, "nothing is known, so no worker leaves");
    }
    cluster.store.state().away = false;
    cluster.broker.state().away = true;
    keep(&cluster, &plan, fence, 3).await;
    assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("the broker")), "and it is said");
}

#[tokio::test(start_paused = true)]
async fn a_silent_driver_is_waited_for_and_said() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = Some(fence(&cluster).await);
    let stop = CancellationToken::new();
    let mut controller = controller(&cluster, &plan, fence);
    controller.reconcile(&stop).await;
    cluster.state().away = true;
    cluster.broker.state().ready = 35;
    controller.reconcile(&stop).await;
    assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("CP-1601")));
    assert_eq!(cluster.size(), 1);
    cluster.state().away = false;
    tokio::time::sleep(3 * SECOND).await;
    controller.reconcile(&stop).await;
    assert_eq!((cluster.size(), cluster.status().trouble), (5, None));
}

#[tokio::test(start_paused = true)]
async fn a_driver_silent_from_the_beginning_is_said_as_well() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = Some(fence(&cluster).await);
    cluster.state().away = true;
    keep(&cluster, &plan, fence, 1).await;
    assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("CP-1601")));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_driver_refuses_is_said_until_one_succeeds() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = Some(fence(&cluster).await);
    let stop = CancellationToken::new();
    let mut controller = controller(&cluster, &plan, fence);
    cluster.state().refuses = true;
    for _ in 0..3 {
        controller.reconcile(&stop).await;
        assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("no room")));
    }
    cluster.state().refuses = false;
    controller.reconcile(&stop).await;
    controller.reconcile(&stop).await;
    assert_eq!((cluster.size(), cluster.status().trouble), (1, None));
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_former_leader_changes_nothing() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let old = fence(&cluster).await;
    cluster.store.resign(old).await.unwrap();
    fence(&cluster).await;
    cluster.broker.state().ready = 35;
    keep(&cluster, &plan, Some(old), 5).await;
    assert_eq!((cluster.size(), cluster.changes().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn inv_7_what_a_former_leader_started_is_counted_and_drained_through_the_store() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = Some(fence(&cluster).await);
    for unmanaged in [worker(201, 0, true), worker(202, 3, true), worker(203, 0, false)] {
        cluster.register(unmanaged);
    }
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 0, "two living ones are more than the least size");
    keep(&cluster, &plan, fence, 9).await;
    assert_eq!(cluster.store.state().drained.first(), Some(&id(201)), "the idle one");
    assert!(!cluster.store.state().drained.contains(&id(202)));
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_brings_the_pool_back_to_its_size() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let first = Some(fence(&cluster).await);
    cluster.broker.state().ready = 35;
    keep(&cluster, &plan, first, 1).await;
    cluster.lose_all();
    cluster.broker.state().ready = 0;
    keep(&cluster, &plan, first, 1).await;
    assert_eq!(cluster.size(), 5, "its workers left with the leader before");
    assert_eq!(cluster.changes().last().unwrap().cause, Cause::Takeover);
    cluster.lose_all();
    tokio::time::sleep(100 * SECOND).await;
    keep(&cluster, &plan, first, 1).await;
    assert_eq!(cluster.size(), 1, "what was long ago says nothing about now");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_changes_nothing() {
    let cluster = FakeCluster::default();
    let plan = plan();
    cluster.broker.state().ready = 35;
    keep(&cluster, &plan, None, 2).await;
    assert_eq!(cluster.size(), 0);
    let changes = cluster.changes();
    assert!(changes.iter().all(|change| change.dry_run) && !changes.is_empty(), "{changes:?}");
    assert!(!cluster.store.state().notes.contains_key("autoscale/status/main"));
}

#[tokio::test(start_paused = true)]
async fn the_emergency_replaces_all_and_raises_the_alarm() {
    let cluster = FakeCluster::default();
    let mut plan = plan();
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
    let fence = Some(fence(&cluster).await);
    keep(&cluster, &plan, fence, 2).await;
    cluster.set_healthy(false);
    keep(&cluster, &plan, fence, 10).await;
    assert_eq!(cluster.state().replaced, 2);
    let alerts = cluster.store.state().journal.iter().filter(|entry| entry.topic == Topic::Alert).count();
    assert_eq!((alerts, cluster.status().counts.replaced), (1, 1));
}

/// As it is shipped: it fires at once.
#[tokio::test(start_paused = true)]
async fn the_emergency_is_none_while_the_store_takes_no_writes() {
    for every in [SECOND, 5 * SECOND] {
        let cluster = FakeCluster::default();
        let mut plan = Plan { lease: 3 * SECOND, ..plan() };
        plan.settings.min = 2;
        plan.settings.every = every;
        let fence = Some(fence(&cluster).await);
        let stop = CancellationToken::new();
        let mut controller = controller(&cluster, &plan, fence);
        let mut passes = async |count: usize| {
            for _ in 0..count {
                controller.reconcile(&stop).await;
                tokio::time::sleep(every).await;
            }
        };
        passes(5).await;
        cluster.store.state().full = true;
        cluster.set_healthy(false);
        passes(20).await;
        assert_eq!(cluster.state().replaced, 0, "no worker could beat");
        // It takes writes again, and the first beats are yet to come.
        cluster.store.state().full = false;
        passes(1).await;
        cluster.set_healthy(true);
        passes(5).await;
        let replaced = cluster.state().replaced;
        assert_eq!((replaced, cluster.size()), (0, 2));
        cluster.set_healthy(false);
        passes(3).await;
        let replaced = cluster.state().replaced;
        assert_eq!((replaced, cluster.status().counts.replaced), (2, 1), "now they are ill");
    }
}

/// What was between two passes that are far apart is not known: the store may have been away just then.
#[tokio::test(start_paused = true)]
async fn one_pass_at_which_all_leases_are_over_is_no_emergency() {
    let cluster = FakeCluster::default();
    let mut plan = Plan { lease: 3 * SECOND, ..plan() };
    plan.settings.every = 5 * SECOND;
    let fence = Some(fence(&cluster).await);
    let stop = CancellationToken::new();
    let mut controller = controller(&cluster, &plan, fence);
    for healthy in [true, true, true, false, true, false, true] {
        cluster.set_healthy(healthy);
        controller.reconcile(&stop).await;
        tokio::time::sleep(5 * SECOND).await;
    }
    let replaced = cluster.state().replaced;
    assert_eq!((replaced, cluster.size()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn limits_are_shown() {
    let cluster = FakeCluster::default();
    let plan = plan();
    let fence = Some(fence(&cluster).await);
    cluster.broker.state().ready = 3_000;
    keep(&cluster, &plan, fence, 1).await;
    let status = cluster.status();
    assert_eq!((status.wanted, status.decision.limits.contains(&Limit::Max)), (6, true));
    assert!(status.decision.votes.iter().any(|vote| vote.policy == "target" && vote.wants.is_some()));
}

#[tokio::test(start_paused = true)]
async fn samples_of_the_forecast_outlive_their_leader() {
    let cluster = FakeCluster::default();
    let mut plan = plan();
    plan.settings.forecast =
        Forecasting { mode: ForecastMode::Watch, step: 2 * SECOND, ..Forecasting::default() };
    let fence = Some(fence(&cluster).await);
    keep(&cluster, &plan, fence, 12).await;
    let before = cluster.status().forecast.unwrap().samples;
    assert!(before >= 4, "{before}");
    keep(&cluster, &plan, fence, 3).await;
    assert!(cluster.status().forecast.unwrap().samples >= before);
}
