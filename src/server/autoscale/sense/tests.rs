use std::time::Duration;

use super::*;
use crate::autoscale::{
    Plan,
    driver::{Replica, ReplicaId},
};
use clawpool_backends::{
    broker::Depth,
    store::{Beat, Done, QueueTotals, Totals, Usage, WorkerInfo, conformance::beat_of},
};
use clawpool_core::{
    config::Autoscale,
    task::{ProcessId, Queue, Timestamp},
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn worker(number: u8, pool: &str, running: u32) -> WorkerInfo {
    let beat = Beat {
        pool: pool.into(),
        host: format!("host-{number}"),
        started_at: Timestamp::from_millis(number.into()),
        slots: 10,
        queues: vec![Queue::P4],
        running: vec![running],
        ..beat_of(ProcessId::from_bytes([number; 16]), secs(3))
    };
    WorkerInfo { beat, beats: 1, last_beat: Timestamp::from_millis(0), alive: true }
}

fn replica(number: u8) -> Replica {
    let worker = ProcessId::from_bytes([number; 16]);
    Replica { id: ReplicaId(worker.to_string()), worker: Some(worker), host: None, draining: false }
}

fn facts(ready: u64, enqueued: u64, workers: Vec<WorkerInfo>) -> Facts {
    let totals =
        Totals::from([(Queue::P4, QueueTotals { enqueued, enqueue_rate: 7.0, ..QueueTotals::default() })]);
    Facts {
        at: Timestamp::from_millis(1_000_000),
        depths: Some(vec![(Queue::P4, Depth { ready, oldest: None })]),
        totals: Some(totals),
        workers: Some(workers),
        unanswered: None,
    }
}

fn plan() -> Plan {
    let settings = Autoscale::default();
    Plan {
        pool: "main".into(),
        slots: 10,
        queues: vec![Queue::P4.into()],
        settings,
        lease: secs(0),
        memory: None,
    }
}

fn sensor() -> Sensor {
    Sensor::new(&plan())
}

#[test]
fn arrivals_are_counted_over_half_a_minute_whatever_the_clock_says() {
    let mut sensor = sensor();
    let mut rate =
        |at, enqueued| sensor.read(secs(at), &facts(0, enqueued, vec![]), &[]).0.queues.unwrap().arrivals;
    assert_eq!(rate(0, 1_000), 7.0, "the store's own word until there are two readings");
    assert_eq!(rate(10, 1_100), 10.0);
    assert_eq!(rate(20, 1_400), 20.0);
    for at in 3..20 {
        rate(at * 10, 1_400);
    }
    assert_eq!(rate(200, 1_400), 0.0, "what came long ago does not count");
    assert_eq!(rate(210, 5), 7.0, "a store that began anew");
}

#[test]
fn what_is_not_said_is_absent() {
    let mut sensor = sensor();
    sensor.read(secs(0), &facts(5, 0, vec![worker(1, "main", 2)]), &[]);
    let silent = Facts { depths: None, ..facts(5, 0, vec![]) };
    assert_eq!(sensor.read(secs(1), &silent, &[]).0.queues, None);
    sensor.read(secs(2), &facts(5, 0, vec![worker(1, "main", 2)]), &[]);
    let silent = Facts { workers: None, totals: None, ..facts(5, 0, vec![]) };
    let (reading, _) = sensor.read(secs(3), &silent, &[replica(7)]);
    assert_eq!((reading.workers, reading.size), (None, 2), "who was there is not taken for gone");
    assert!(reading.queues.is_some_and(|queues| queues.ready == 5), "what the broker says is known");
    assert_eq!(sensor.read(secs(90), &silent, &[]).0.queues, None, "and its rates are not for ever");
}

#[test]
fn workers_that_leave_are_not_counted_and_those_of_others_are() {
    let mut leaving = worker(3, "main", 5);
    leaving.beat.draining = true;
    let mut dead = worker(4, "main", 5);
    dead.alive = false;
    let known = vec![worker(1, "main", 0), worker(2, "main", 3), leaving, dead, worker(5, "other", 1)];
    let told = Replica { draining: true, ..replica(2) };
    let (reading, replicas) = sensor().read(secs(0), &facts(0, 0, known), &[told, replica(6)]);
    let workers = reading.workers.unwrap();
    assert_eq!((reading.size, replicas.draining), (2, 2), "{replicas:?}");
    assert_eq!((workers.started, workers.healthy), (1, 1), "the driver's new one has not come up yet");
}

#[test]
fn a_silent_worker_of_the_driver_is_started_and_not_healthy() {
    let mut silent = worker(1, "main", 1);
    silent.alive = false;
    let (reading, _) = sensor().read(secs(0), &facts(0, 0, vec![silent]), &[replica(1)]);
    let workers = reading.workers.unwrap();
    assert_eq!((reading.size, workers.started, workers.healthy, workers.busy.reporting), (1, 1, 0, 0));
}

#[test]
fn a_container_is_known_by_its_host() {
    let container =
        Replica { id: ReplicaId("c1".into()), worker: None, host: Some("host-1".into()), draining: false };
    let (reading, replicas) = sensor().read(secs(0), &facts(0, 0, vec![worker(1, "main", 4)]), &[container]);
    assert_eq!((reading.size, replicas.staying[0].running), (1, 4));
}

#[test]
fn gauges_are_means_over_those_that_report() {
    let usage = |cpu, memory| Some(Usage { cpu, memory });
    let mut one = worker(1, "main", 10);
    let mut two = worker(2, "main", 0);
    one.beat.usage = usage(250.0, 60);
    two.beat.usage = usage(50.0, 20);
    let mut sensor = Sensor::new(&Plan { memory: Some(100), ..plan() });
    let workers =
        sensor.read(secs(0), &facts(0, 0, vec![one, two, worker(3, "main", 5)]), &[]).0.workers.unwrap();
    assert_eq!((workers.cpu.mean, workers.cpu.reporting), (75.0, 2), "a worker is reckoned to have one core");
    assert_eq!((workers.memory.mean, workers.busy.mean, workers.busy.reporting), (40.0, 50.0, 3));
}

#[test]
fn two_pools_divide_a_queue_by_their_slots() {
    let workers =
        || vec![worker(1, "main", 0), worker(2, "other", 0), worker(3, "other", 0), worker(4, "other", 0)];
    let mut sensor = sensor();
    sensor.read(secs(0), &facts(100, 0, workers()), &[]);
    let queues = sensor.read(secs(10), &facts(100, 400, workers()), &[]).0.queues.unwrap();
    assert_eq!((queues.ready, queues.arrivals), (25, 10.0));
}

#[test]
fn the_service_time_follows_what_workers_did_last() {
    let mut sensor = sensor();
    let mut service = |at, tasks, run| {
        let mut worker = worker(1, "main", 0);
        worker.beat.done = Done { tasks, run: secs(run) };
        sensor.read(secs(at), &facts(0, 0, vec![worker]), &[]).0.queues.unwrap().service
    };
    assert_eq!(service(0, 0, 0), None);
    assert_eq!(service(10, 4, 8), Some(secs(2)));
    let later = service(610, 104, 8 + 500).unwrap();
    assert!(later > Duration::from_millis(4_990) && later < secs(5), "{later:?}");
}

#[test]
fn a_stepped_clock_makes_no_task_old() {
    let mut sensor = sensor();
    let mut oldest = |at, wall, made| {
        let depth = Depth { ready: 1, oldest: Some(Timestamp::from_millis(made)) };
        let facts = Facts {
            at: Timestamp::from_millis(wall),
            depths: Some(vec![(Queue::P4, depth)]),
            ..facts(1, 0, vec![])
        };
        sensor.read(secs(at), &facts, &[]).0.queues.unwrap().oldest
    };
    assert_eq!(oldest(0, 100_000, 97_000), secs(3));
    assert_eq!(oldest(5, 105_000, 97_000), secs(8));
    assert_eq!(oldest(10, 9_000_000, 97_000), secs(13), "the clock jumped ahead");
    assert_eq!(oldest(11, 9_001_000, 9_000_500), Duration::from_millis(500));
}

#[test]
fn after_the_stores_silence_no_worker_is_taken_for_dead_before_a_lease_has_passed() {
    let mut sensor = Sensor::new(&Plan { lease: secs(3), ..plan() });
    let dead = || facts(0, 0, vec![WorkerInfo { alive: false, ..worker(1, "main", 1) }]);
    let silent = Facts { workers: None, ..dead() };
    let mut healthy =
        |at, facts: &Facts| sensor.read(secs(at), facts, &[replica(1)]).0.workers.map(|seen| seen.healthy);
    assert_eq!((healthy(0, &dead()), healthy(2, &dead()), healthy(3, &dead())), (Some(1), Some(1), Some(0)));
    assert_eq!((healthy(4, &silent), healthy(5, &dead()), healthy(8, &dead())), (None, Some(1), Some(0)));
}
