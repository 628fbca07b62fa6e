use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{super::pool_controller::PoolController, fake::*, *};
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
        queues: vec![Queue::P4],
        settings,
        lease: Duration::ZERO,
        memory: None,
    }
}

pub(super) async fn fence(cluster: &FakeCluster) -> Fence {
    cluster.lead(Role::Autoscaler, ProcessId::from_bytes([99; 16]), 1000 * SECOND).await.unwrap().unwrap()
}

/// Some seconds under one leader.
async fn keep(cluster: &FakeCluster, plan: &Plan, fence: Option<Fence>, seconds: u32) {
    let stop = CancellationToken::new();
    let controller =
        PoolController::new(plan, cluster, cluster, cluster, ProcessId::from_bytes([99; 16]), fence);
    let _ = tokio::time::timeout(seconds * SECOND - SECOND / 2, controller.run(&stop)).await;
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_pool_starts_at_once_grows_with_its_backlog_and_shrinks_by_draining() {
    let (cluster, mut plan) = (FakeCluster::new(), plan());
    plan.settings.min = 3;
    let fence = Some(fence(&cluster).await);
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 3, "the least size does not wait");
    cluster.state().ready = 35;
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 5, "35 waiting tasks need 5 workers of 10 slots at 70 %");
    cluster.state().ready = 0;
    for number in [1, 3, 4] {
        cluster.state().replicas.get_mut(&number).unwrap().0 = 1;
    }
    keep(&cluster, &plan, fence, 6).await;
    let state = cluster.state();
    let leaving: Vec<u8> =
        state.replicas.iter().filter(|(_, (_, leaves))| *leaves).map(|(number, _)| *number).collect();
    assert_eq!(leaving, [2, 5], "the idle: {:?}", state.journal);
    drop(state);
    let sizes: Vec<_> = cluster.changes().iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(sizes, [(0, 3), (3, 5), (5, 3)], "every change, and no time of rest");
}

#[tokio::test(start_paused = true)]
async fn inv_7_an_outage_is_held_out() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = Some(fence(&cluster).await);
    cluster.state().ready = 35;
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 5);
    for outage in [|state: &mut State| state.broker_away = true, |state: &mut State| state.store_away = true]
    {
        cluster.state().ready = 0;
        outage(&mut cluster.state());
        keep(&cluster, &plan, fence, 60).await;
        assert_eq!(cluster.size(), 5, "nothing is known, so no worker leaves");
        (cluster.state().broker_away, cluster.state().store_away) = (false, false);
    }
    cluster.state().broker_away = true;
    keep(&cluster, &plan, fence, 3).await;
    assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("the broker")), "and it is said");
}

#[tokio::test(start_paused = true)]
async fn a_silent_driver_is_waited_for_and_said() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = Some(fence(&cluster).await);
    let stop = CancellationToken::new();
    let mut controller =
        PoolController::new(&plan, &cluster, &cluster, &cluster, ProcessId::from_bytes([99; 16]), fence);
    controller.reconcile(&stop).await;
    cluster.state().driver_away = true;
    cluster.state().ready = 35;
    controller.reconcile(&stop).await;
    assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("CP-1601")));
    assert_eq!(cluster.size(), 1);
    cluster.state().driver_away = false;
    tokio::time::sleep(3 * SECOND).await;
    controller.reconcile(&stop).await;
    assert_eq!((cluster.size(), cluster.status().trouble), (5, None));
}

#[tokio::test(start_paused = true)]
async fn a_driver_silent_from_the_beginning_is_said_as_well() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = Some(fence(&cluster).await);
    cluster.state().driver_away = true;
    keep(&cluster, &plan, fence, 1).await;
    assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("CP-1601")));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_driver_refuses_is_said_until_one_succeeds() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = Some(fence(&cluster).await);
    let stop = CancellationToken::new();
    let mut controller =
        PoolController::new(&plan, &cluster, &cluster, &cluster, ProcessId::from_bytes([99; 16]), fence);
    cluster.state().driver_refuses = true;
    for _ in 0..3 {
        controller.reconcile(&stop).await;
        assert!(cluster.status().trouble.is_some_and(|trouble| trouble.contains("no room")));
    }
    cluster.state().driver_refuses = false;
    controller.reconcile(&stop).await;
    controller.reconcile(&stop).await;
    assert_eq!((cluster.size(), cluster.status().trouble), (1, None));
}

#[tokio::test(start_paused = true)]
async fn inv_7_a_former_leader_changes_nothing() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let old = fence(&cluster).await;
    cluster.state().leader = None;
    fence(&cluster).await;
    cluster.state().ready = 35;
    keep(&cluster, &plan, Some(old), 5).await;
    assert_eq!((cluster.size(), cluster.changes().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn inv_7_what_a_former_leader_started_is_counted_and_drained_through_the_store() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = Some(fence(&cluster).await);
    cluster.state().unmanaged = vec![worker(201, 0, true), worker(202, 3, true), worker(203, 0, false)];
    keep(&cluster, &plan, fence, 1).await;
    assert_eq!(cluster.size(), 0, "two living ones are more than the least size");
    keep(&cluster, &plan, fence, 9).await;
    assert_eq!(cluster.state().drained.first(), Some(&id(201)), "the idle one");
    assert!(!cluster.state().drained.contains(&id(202)));
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_brings_the_pool_back_to_its_size() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let first = Some(fence(&cluster).await);
    cluster.state().ready = 35;
    keep(&cluster, &plan, first, 1).await;
    (cluster.state().replicas, cluster.state().ready) = (Default::default(), 0);
    keep(&cluster, &plan, first, 1).await;
    assert_eq!(cluster.size(), 5, "its workers left with the leader before");
    assert_eq!(cluster.changes().last().unwrap().cause, Cause::Takeover);
    cluster.state().replicas = Default::default();
    tokio::time::sleep(100 * SECOND).await;
    keep(&cluster, &plan, first, 1).await;
    assert_eq!(cluster.size(), 1, "what was long ago says nothing about now");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_changes_nothing() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    cluster.state().ready = 35;
    keep(&cluster, &plan, None, 2).await;
    assert_eq!(cluster.size(), 0);
    let changes = cluster.changes();
    assert!(changes.iter().all(|change| change.dry_run) && !changes.is_empty(), "{changes:?}");
    assert!(!cluster.state().notes.contains_key("autoscale/status/main"));
}

#[tokio::test(start_paused = true)]
async fn the_emergency_replaces_all_and_raises_the_alarm() {
    let (cluster, mut plan) = (FakeCluster::new(), plan());
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
    cluster.state().healthy = false;
    keep(&cluster, &plan, fence, 10).await;
    assert_eq!(cluster.state().replaced, 2);
    let alerts = cluster.state().journal.iter().filter(|entry| entry.topic == Topic::Alert).count();
    assert_eq!((alerts, cluster.status().counts.replaced), (1, 1));
}

/// As it is shipped: it fires at once.
#[tokio::test(start_paused = true)]
async fn the_emergency_is_none_while_the_store_takes_no_writes() {
    for every in [SECOND, 5 * SECOND] {
        let (cluster, mut plan) = (FakeCluster::new(), Plan { lease: 3 * SECOND, ..plan() });
        (plan.settings.min, plan.settings.every) = (2, every);
        let fence = Some(fence(&cluster).await);
        let stop = CancellationToken::new();
        let mut controller =
            PoolController::new(&plan, &cluster, &cluster, &cluster, ProcessId::from_bytes([99; 16]), fence);
        let mut passes = async |count: usize| {
            for _ in 0..count {
                controller.reconcile(&stop).await;
                tokio::time::sleep(every).await;
            }
        };
        passes(5).await;
        (cluster.state().store_full, cluster.state().healthy) = (true, false);
        passes(20).await;
        assert_eq!(cluster.state().replaced, 0, "no worker could beat");
        // It takes writes again, and the first beats are yet to come.
        cluster.state().store_full = false;
        passes(1).await;
        cluster.state().healthy = true;
        passes(5).await;
        let replaced = cluster.state().replaced;
        assert_eq!((replaced, cluster.size()), (0, 2));
        cluster.state().healthy = false;
        passes(3).await;
        let replaced = cluster.state().replaced;
        assert_eq!((replaced, cluster.status().counts.replaced), (2, 1), "now they are ill");
    }
}

/// What was between two passes that are far apart is not known: the store may have been away just then.
#[tokio::test(start_paused = true)]
async fn one_pass_at_which_all_leases_are_over_is_no_emergency() {
    let (cluster, mut plan) = (FakeCluster::new(), Plan { lease: 3 * SECOND, ..plan() });
    plan.settings.every = 5 * SECOND;
    let fence = Some(fence(&cluster).await);
    let stop = CancellationToken::new();
    let mut controller =
        PoolController::new(&plan, &cluster, &cluster, &cluster, ProcessId::from_bytes([99; 16]), fence);
    for healthy in [true, true, true, false, true, false, true] {
        cluster.state().healthy = healthy;
        controller.reconcile(&stop).await;
        tokio::time::sleep(5 * SECOND).await;
    }
    let replaced = cluster.state().replaced;
    assert_eq!((replaced, cluster.size()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn limits_are_shown() {
    let (cluster, plan) = (FakeCluster::new(), plan());
    let fence = Some(fence(&cluster).await);
    cluster.state().ready = 3_000;
    keep(&cluster, &plan, fence, 1).await;
    let status = cluster.status();
    assert_eq!((status.wanted, status.decision.limits.contains(&Limit::Max)), (6, true));
    assert!(status.decision.votes.iter().any(|vote| vote.policy == "target" && vote.wants.is_some()));
}

#[tokio::test(start_paused = true)]
async fn samples_of_the_forecast_outlive_their_leader() {
    let (cluster, mut plan) = (FakeCluster::new(), plan());
    plan.settings.forecast =
        Forecasting { mode: ForecastMode::Watch, step: 2 * SECOND, ..Forecasting::default() };
    let fence = Some(fence(&cluster).await);
    keep(&cluster, &plan, fence, 12).await;
    let before = cluster.status().forecast.unwrap().samples;
    assert!(before >= 4, "{before}");
    keep(&cluster, &plan, fence, 3).await;
    assert!(cluster.status().forecast.unwrap().samples >= before);
}
