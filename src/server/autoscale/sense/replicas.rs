use crate::autoscale::driver::{Replica, ReplicaId};
use clawpool_backends::store::WorkerInfo;
use clawpool_core::{
    scaling::{Gauge, Workers},
    task::{ProcessId, Timestamp},
};

/// The workers that are there to stay: those of the driver, and those that registered for the pool without it
/// (what a former leader started, or a person).
#[derive(Clone, Debug, Default)]
pub struct Replicas {
    pub staying: Vec<ReplicaState>,
    /// Those that are leaving.
    pub draining: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaState {
    /// The driver's, if it is one of its own.
    pub replica: Option<ReplicaId>,
    /// Under which it has registered.
    pub worker: Option<ProcessId>,
    pub started_at: Option<Timestamp>,
    /// It sends heartbeats.
    pub alive: bool,
    pub running: u32,
    pub slots: u32,
    /// Of one core, in per cent, at most 100: that much is what one worker is reckoned to have.
    pub cpu: Option<f64>,
    /// Of the memory that it may use, in per cent.
    pub memory: Option<f64>,
}

impl Replicas {
    /// `memory`: bytes that one worker may use, where there is a limit.
    pub(super) fn new(pool: &str, driven: &[Replica], workers: &[WorkerInfo], memory: Option<u64>) -> Self {
        let ours: Vec<&WorkerInfo> = workers.iter().filter(|worker| worker.beat.pool == pool).collect();
        let mut found = Self::default();
        for replica in driven {
            let info = ours.iter().find(|worker| is_same(replica, worker)).copied();
            if replica.draining {
                found.draining += 1;
            } else {
                found.staying.push(ReplicaState::new(Some(&replica.id), info, memory));
            }
        }
        let unmanaged = |worker: &&&WorkerInfo| !driven.iter().any(|replica| is_same(replica, worker));
        for worker in ours.iter().filter(|worker| worker.alive).filter(unmanaged) {
            if worker.beat.draining {
                found.draining += 1;
            } else {
                found.staying.push(ReplicaState::new(None, Some(worker), memory));
            }
        }
        found
    }

    pub fn size(&self) -> u32 {
        self.staying.len() as u32
    }

    pub(super) fn unmanaged(&self) -> u32 {
        self.staying.iter().filter(|replica| replica.replica.is_none()).count() as u32
    }

    pub(super) fn workers(&self) -> Workers {
        let started = self.staying.iter().filter(|replica| replica.worker.is_some());
        let alive = || self.staying.iter().filter(|replica| replica.alive);
        Workers {
            started: started.count() as u32,
            healthy: alive().count() as u32,
            cpu: gauge(alive().filter_map(|replica| replica.cpu)),
            memory: gauge(alive().filter_map(|replica| replica.memory)),
            busy: gauge(alive().map(ReplicaState::busy)),
        }
    }
}

impl ReplicaState {
    fn new(replica: Option<&ReplicaId>, info: Option<&WorkerInfo>, memory: Option<u64>) -> Self {
        let beat = info.map(|info| &info.beat);
        let usage = beat.and_then(|beat| beat.usage);
        Self {
            replica: replica.cloned(),
            worker: beat.map(|beat| beat.worker),
            started_at: beat.map(|beat| beat.started_at),
            alive: info.is_some_and(|info| info.alive),
            running: beat.map_or(0, |beat| beat.running.iter().sum()),
            slots: beat.map_or(0, |beat| beat.slots),
            cpu: usage.map(|usage| f64::from(usage.cpu).min(100.0)),
            memory: usage.zip(memory).map(|(usage, limit)| 100.0 * usage.memory as f64 / limit.max(1) as f64),
        }
    }

    fn busy(&self) -> f64 {
        (100.0 * f64::from(self.running) / f64::from(self.slots.max(1))).min(100.0)
    }
}

fn is_same(replica: &Replica, worker: &WorkerInfo) -> bool {
    replica.worker == Some(worker.beat.worker) || replica.host.as_deref() == Some(worker.beat.host.as_str())
}

fn gauge(values: impl Iterator<Item = f64>) -> Gauge {
    let (sum, reporting) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    Gauge { mean: sum / f64::from(reporting.max(1)), reporting }
}
