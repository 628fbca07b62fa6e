use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;

use crate::autoscale::driver::{Driver, DriverError, Replica, ReplicaId};
use clawpool_backends::{
    broker::testing::TestBroker,
    store::{
        Beat, Topic, WorkerInfo,
        testing::{TestStore, worker_info},
    },
};
use clawpool_core::task::{ProcessId, Queue, Timestamp};
use clawpool_engine::client::{Change, PoolStatus};

/// A driver of one pool, with a broker and a store. A started worker registers and works at once.
#[derive(Default)]
pub(super) struct FakeCluster {
    pub(super) broker: Arc<TestBroker>,
    pub(super) store: Arc<TestStore>,
    state: Mutex<State>,
}

/// Of the driver.
#[derive(Default)]
pub(super) struct State {
    pub(super) away: bool,
    pub(super) refuses: bool,
    /// Replicas, and whether they were told to leave.
    pub(super) replicas: BTreeMap<u8, bool>,
    /// Workers that it knows to be dead.
    pub(super) ended: Vec<ProcessId>,
    pub(super) replaced: usize,
    next: u8,
}

pub(super) fn id(number: u8) -> ProcessId {
    ProcessId::from_bytes([number; 16])
}

pub(super) fn worker(number: u8, running: u32, alive: bool) -> WorkerInfo {
    let info = worker_info("main", id(number), 1);
    let beat = Beat {
        pid: number.into(),
        started_at: Timestamp::from_millis(number.into()),
        slots: 10,
        queues: vec![Queue::P4],
        running: vec![running],
        ..info.beat
    };
    WorkerInfo { beat, alive, ..info }
}

impl FakeCluster {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn register(&self, worker: WorkerInfo) {
        self.store.state().workers.insert(worker.beat.worker, worker);
    }

    /// Whether the workers' leases hold.
    pub(super) fn set_healthy(&self, healthy: bool) {
        for worker in self.store.state().workers.values_mut() {
            worker.alive = healthy;
        }
    }

    /// All workers end, and the registry knows it.
    pub(super) fn lose_all(&self) {
        self.state().replicas.clear();
        self.store.state().workers.clear();
    }

    /// A replica's worker dies, and its successor registers.
    pub(super) fn succeed(&self, dead: u8, successor: u8) {
        let mut state = self.state();
        state.replicas.remove(&dead);
        state.replicas.insert(successor, false);
        self.store.state().workers.remove(&id(dead));
        self.register(worker(successor, 0, true));
    }

    /// Replicas that stay.
    pub(super) fn size(&self) -> usize {
        self.state().replicas.values().filter(|draining| !**draining).count()
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        let state = self.store.state();
        let scaling = state.journal.iter().filter(|entry| entry.topic == Topic::Scaling);
        scaling.map(|entry| serde_json::from_value(entry.body.clone()).unwrap()).collect()
    }

    pub(super) fn status(&self) -> PoolStatus {
        serde_json::from_slice(&self.store.state().notes["autoscale/status/main"].value).unwrap()
    }
}

#[async_trait]
impl Driver for FakeCluster {
    async fn replicas(&self) -> Result<Vec<Replica>, DriverError> {
        let state = self.state();
        if state.away {
            return Err(DriverError::Unavailable { driver: "test", reason: "away".into() });
        }
        let replica = |(number, draining): (&u8, &bool)| Replica {
            id: ReplicaId(number.to_string()),
            worker: Some(id(*number)),
            host: None,
            draining: *draining,
        };
        Ok(state.replicas.iter().map(replica).collect())
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        let mut state = self.state();
        if state.refuses {
            return Err(DriverError::Refused {
                driver: "test",
                pool: "main".into(),
                reason: "no room".into(),
            });
        }
        for _ in 0..count {
            state.next += 1;
            let number = state.next;
            state.replicas.insert(number, false);
            self.register(worker(number, 0, true));
        }
        Ok(())
    }

    async fn drain(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        for replica in replicas {
            let number = replica.0.parse().unwrap();
            *self.state().replicas.get_mut(&number).unwrap() = true;
            self.store.state().workers.get_mut(&id(number)).unwrap().beat.draining = true;
        }
        Ok(())
    }

    async fn replace(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        self.state().replaced += replicas.len();
        Ok(())
    }

    fn has_ended(&self, worker: ProcessId) -> bool {
        self.state().ended.contains(&worker)
    }
}
