//! The controller and the leader against a cluster in memory, by a paused clock.

mod counting;
mod fake;
mod leading;
mod overrides;
mod reconciling;

use super::*;
use crate::autoscale::{
    Plan,
    sense::{ReplicaState, Replicas},
};
use clawpool_core::{
    config::Autoscale,
    scaling::Headroom,
    task::{ProcessId, Timestamp},
};
use clawpool_engine::client::{Cause, Manual};

fn replica(number: u8, running: u32) -> ReplicaState {
    ReplicaState {
        replica: None,
        worker: Some(ProcessId::from_bytes([number; 16])),
        started_at: Some(Timestamp::from_millis(number.into())),
        alive: true,
        running,
        slots: 10,
        cpu: None,
        memory: None,
    }
}

#[test]
fn inv_7_the_idle_leave_first_then_the_least_loaded() {
    let silent = ReplicaState { alive: false, ..replica(5, 0) };
    let starting = ReplicaState { worker: None, started_at: None, alive: false, ..replica(6, 0) };
    let replicas = Replicas {
        staying: vec![
            replica(1, 7),
            silent.clone(),
            replica(2, 0),
            replica(3, 2),
            replica(4, 0),
            starting.clone(),
        ],
        draining: 0,
    };
    let leave =
        |count| scale_down::replicas_to_drain(&replicas, count).into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(leave(2), [replica(4, 0), replica(2, 0)]);
    assert_eq!(leave(9), [replica(4, 0), replica(2, 0), starting, replica(3, 2), replica(1, 7), silent]);
}

fn decision(size: u32, wanted: u32) -> clawpool_core::scaling::Decision {
    let mut planner = clawpool_core::scaling::Planner::new(&Autoscale::default(), 10);
    let reading = clawpool_core::scaling::Reading {
        size,
        queues: Some(Default::default()),
        workers: Some(Default::default()),
        ..Default::default()
    };
    let decision = planner.decide(std::time::Duration::ZERO, &reading);
    clawpool_core::scaling::Decision { wanted, ..decision }
}

#[test]
fn an_operators_size_goes_before_a_pause_and_that_before_the_policies() {
    let settings = Autoscale { min: 2, max: 9, ..Autoscale::default() };
    let desired = |decision: &_, overrides| {
        let desired = desired::DesiredSize::new(&settings, decision, overrides);
        (desired.wanted, desired.cause)
    };
    let manual = |size| Some(Manual { size, until: Timestamp::from_millis(0) });
    let plain = desired::SizeRequests::default();
    let six = decision(4, 6);
    assert_eq!(desired(&six, plain), (6, Cause::Policies));
    assert_eq!(desired(&six, desired::SizeRequests { paused: true, ..plain }), (4, Cause::Paused));
    assert_eq!(
        desired(&six, desired::SizeRequests { paused: true, manual: manual(3), ..plain }),
        (3, Cause::Manual)
    );
    assert_eq!(desired(&six, desired::SizeRequests { manual: manual(50), ..plain }), (9, Cause::Manual));
    assert_eq!(desired(&six, desired::SizeRequests { inherited: Some(8), ..plain }), (8, Cause::Takeover));
    assert_eq!(desired(&six, desired::SizeRequests { inherited: Some(5), ..plain }), (6, Cause::Policies));
}

#[test]
fn no_order_goes_beyond_memory_and_none_shrinks_blindly() {
    let settings = Autoscale { min: 1, max: 9, ..Autoscale::default() };
    let manual = |size| desired::SizeRequests {
        manual: Some(Manual { size, until: Timestamp::from_millis(0) }),
        ..desired::SizeRequests::default()
    };
    let mut tight = decision(4, 4);
    tight.reading.headroom = Some(Headroom { free: 250, per_worker: 100 });
    assert_eq!(desired::DesiredSize::new(&settings, &tight, manual(9)).wanted, 6);
    let mut blind = decision(4, 2);
    blind.reading.queues = None;
    let desired = desired::DesiredSize::new(&settings, &blind, manual(1));
    assert_eq!((desired.wanted, desired.cause), (4, Cause::Unknown));
    assert_eq!(desired::DesiredSize::new(&settings, &blind, desired::SizeRequests::default()).wanted, 4);
}
