//! The keeper and the leader against a world in memory, by a paused clock.

mod counting;
mod keeping;
mod leading;
mod wishing;
mod world;

use super::*;
use crate::autoscale::{
    Plan,
    sense::{Crew, Hand},
};
use clawpool_core::{
    config::Autoscale,
    scaling::Headroom,
    task::{Timestamp, WorkerId},
};
use clawpool_engine::client::{Cause, Manual};

fn hand(number: u8, running: u32) -> Hand {
    Hand {
        member: None,
        worker: Some(WorkerId::from_bytes([number; 16])),
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
    let silent = Hand { alive: false, ..hand(5, 0) };
    let starting = Hand { worker: None, started_at: None, alive: false, ..hand(6, 0) };
    let crew = Crew {
        hands: vec![hand(1, 7), silent.clone(), hand(2, 0), hand(3, 2), hand(4, 0), starting.clone()],
        draining: 0,
    };
    let leave = |count| victims::victims(&crew, count).into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(leave(2), [hand(4, 0), hand(2, 0)]);
    assert_eq!(leave(9), [hand(4, 0), hand(2, 0), starting, hand(3, 2), hand(1, 7), silent]);
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
    let order = |decision: &_, wishes| {
        let order = order::Order::new(&settings, decision, wishes);
        (order.wanted, order.cause)
    };
    let manual = |size| Some(Manual { size, until: Timestamp::from_millis(0) });
    let plain = order::Wanted::default();
    let six = decision(4, 6);
    assert_eq!(order(&six, plain), (6, Cause::Policies));
    assert_eq!(order(&six, order::Wanted { paused: true, ..plain }), (4, Cause::Paused));
    assert_eq!(order(&six, order::Wanted { paused: true, manual: manual(3), ..plain }), (3, Cause::Manual));
    assert_eq!(order(&six, order::Wanted { manual: manual(50), ..plain }), (9, Cause::Manual));
    assert_eq!(order(&six, order::Wanted { inherited: Some(8), ..plain }), (8, Cause::Takeover));
    assert_eq!(order(&six, order::Wanted { inherited: Some(5), ..plain }), (6, Cause::Policies));
}

#[test]
fn no_order_goes_beyond_memory_and_none_shrinks_blindly() {
    let settings = Autoscale { min: 1, max: 9, ..Autoscale::default() };
    let manual = |size| order::Wanted {
        manual: Some(Manual { size, until: Timestamp::from_millis(0) }),
        ..order::Wanted::default()
    };
    let mut tight = decision(4, 4);
    tight.reading.headroom = Some(Headroom { free: 250, per_worker: 100 });
    assert_eq!(order::Order::new(&settings, &tight, manual(9)).wanted, 6);
    let mut blind = decision(4, 2);
    blind.reading.queues = None;
    let order = order::Order::new(&settings, &blind, manual(1));
    assert_eq!((order.wanted, order.cause), (4, Cause::Unknown));
    assert_eq!(order::Order::new(&settings, &blind, order::Wanted::default()).wanted, 4);
}
