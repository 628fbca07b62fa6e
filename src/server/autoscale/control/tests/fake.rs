use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::autoscale::driver::{Driver, DriverError, Replica, ReplicaId};
use clawpool_backends::{
    broker::{Broker, BrokerError, Consumer, DeadLettered, Depth, Receipt},
    store::{
        Beat, ControlStore, Done, Entry, Fence, JournalStore, NoteStore, Orders, Page, Question, QueueTotals,
        Role, StoreError, Topic, WorkerInfo, WorkerStore,
    },
};
use clawpool_core::task::{Message, ProcessId, Queue, TaskId, Timestamp};

/// Broker, store and driver of one pool in one. A started worker works at once.
#[derive(Default)]
pub(super) struct FakeCluster(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    pub(super) ready: u64,
    pub(super) broker_away: bool,
    pub(super) store_away: bool,
    /// It can be read and not written.
    pub(super) store_full: bool,
    pub(super) driver_away: bool,
    pub(super) driver_refuses: bool,
    /// Worker, tasks running, and whether it was told to leave.
    pub(super) replicas: BTreeMap<u8, (u32, bool)>,
    /// Workers that the driver did not start.
    pub(super) unmanaged: Vec<WorkerInfo>,
    /// Of these the driver knows that they are dead.
    pub(super) ended: Vec<ProcessId>,
    /// Replicas that die while the registry is read, and their successors.
    pub(super) succeeding: Vec<(u8, u8)>,
    pub(super) drained: Vec<ProcessId>,
    pub(super) replaced: usize,
    pub(super) healthy: bool,
    pub(super) journal: Vec<Entry>,
    pub(super) notes: BTreeMap<String, (Bytes, Option<Instant>)>,
    pub(super) leader: Option<(ProcessId, u64, Instant)>,
    fence: u64,
    next: u8,
}

pub(super) fn id(number: u8) -> ProcessId {
    ProcessId::from_bytes([number; 16])
}

pub(super) fn worker(number: u8, running: u32, alive: bool) -> WorkerInfo {
    let beat = Beat {
        worker: id(number),
        pool: "main".into(),
        host: "here".into(),
        pid: number.into(),
        started_at: Timestamp::from_millis(number.into()),
        slots: 10,
        draining: false,
        queues: vec![Queue::P4],
        running: vec![running],
        progress: vec![],
        lease: Duration::from_secs(3),
        usage: None,
        done: Done::default(),
        paused: None,
        kinds: None,
        unhandled: Vec::new(),
    };
    WorkerInfo { beat, beats: 1, last_beat: Timestamp::from_millis(0), alive }
}

impl FakeCluster {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { healthy: true, ..State::default() }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Replicas that stay.
    pub(super) fn size(&self) -> usize {
        self.state().replicas.values().filter(|(_, draining)| !draining).count()
    }

    pub(super) fn changes(&self) -> Vec<clawpool_engine::client::Change> {
        let state = self.state();
        let scaling = state.journal.iter().filter(|entry| entry.topic == Topic::Scaling);
        scaling.map(|entry| serde_json::from_value(entry.body.clone()).unwrap()).collect()
    }

    pub(super) fn status(&self) -> clawpool_engine::client::PoolStatus {
        serde_json::from_slice(&self.state().notes["autoscale/status/main"].0).unwrap()
    }

    fn answer(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        match state.store_away {
            true => Err(StoreError::Unavailable { store: "test", reason: "away".into() }),
            false => Ok(state),
        }
    }

    fn led(&self, fence: Option<Fence>) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.answer()?;
        match fence {
            Some(fence) if fence.number < state.fence => {
                Err(StoreError::Fenced { held: fence.number, current: state.fence })
            }
            _ if state.store_full => Err(StoreError::Unavailable { store: "test", reason: "full".into() }),
            _ => Ok(state),
        }
    }
}

#[async_trait]
impl ControlStore for FakeCluster {
    async fn lead(&self, role: Role, who: ProcessId, lease: Duration) -> Result<Option<Fence>, StoreError> {
        let mut state = self.answer()?;
        let now = Instant::now();
        let number = match state.leader {
            Some((leader, _, end)) if end > now && leader != who => return Ok(None),
            Some((_, number, end)) if end > now => number,
            _ => {
                state.fence += 1;
                state.fence
            }
        };
        state.leader = Some((who, number, now + lease));
        Ok(Some(Fence { role, number }))
    }

    async fn resign(&self, fence: Fence) -> Result<(), StoreError> {
        self.answer()?.leader.take_if(|held| held.1 == fence.number);
        Ok(())
    }

    async fn set_paused(&self, _: Queue, _: bool) -> Result<(), StoreError> {
        Ok(())
    }

    async fn paused(&self) -> Result<Vec<Queue>, StoreError> {
        Ok(vec![])
    }

    async fn take_tokens(&self, _: &str, want: u32, _: f64, _: u32) -> Result<(u32, Duration), StoreError> {
        Ok((want, Duration::ZERO))
    }

    async fn totals(&self) -> Result<Vec<QueueTotals>, StoreError> {
        self.answer().map(|_| vec![QueueTotals::default(); Queue::ALL.len()])
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.answer().map(drop)
    }
}

#[async_trait]
impl WorkerStore for FakeCluster {
    async fn beat(&self, _: &Beat) -> Result<Orders, StoreError> {
        Ok(Orders::default())
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        let mut state = self.answer()?;
        for (dead, successor) in std::mem::take(&mut state.succeeding) {
            state.replicas.remove(&dead);
            state.replicas.insert(successor, (0, false));
        }
        let own = state.replicas.iter().map(|(number, (running, draining))| {
            let mut worker = worker(*number, *running, state.healthy);
            worker.beat.draining = *draining;
            worker
        });
        Ok(own.chain(state.unmanaged.clone()).collect())
    }

    async fn drain(&self, worker: ProcessId) -> Result<bool, StoreError> {
        self.answer()?.drained.push(worker);
        Ok(true)
    }

    async fn end_lease(&self, _: ProcessId, _: Option<&[TaskId]>) -> Result<Vec<TaskId>, StoreError> {
        Ok(vec![])
    }

    async fn ask(&self, _: &[Question]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _: ProcessId) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl JournalStore for FakeCluster {
    async fn append(&self, fence: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError> {
        self.led(fence)?.journal.extend(entries.iter().cloned());
        Ok(())
    }

    async fn journal(
        &self,
        _: Topic,
        _: Option<&str>,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<Entry>, StoreError> {
        Ok(Page { items: self.answer()?.journal.clone(), next: None })
    }
}

#[async_trait]
impl NoteStore for FakeCluster {
    async fn put_note(
        &self,
        fence: Option<Fence>,
        name: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.led(fence)?.notes.insert(name.to_owned(), (value, keep.map(|keep| Instant::now() + keep)));
        Ok(())
    }

    async fn note(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.notes(name).await?.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        let mut state = self.answer()?;
        state.notes.retain(|_, (_, until)| until.is_none_or(|until| until > Instant::now()));
        let found = state.notes.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(found.map(|(name, (value, _))| (name.clone(), value.clone())).collect())
    }

    async fn erase_note(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.answer()?.notes.remove(name).is_some())
    }
}

#[async_trait]
impl Broker for FakeCluster {
    async fn publish(&self, _: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        vec![]
    }

    async fn consume(&self, _: ProcessId, _: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Unavailable { broker: "test", reason: "not in this test".into() })
    }

    async fn ack(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn release(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn reclaim(&self, _: ProcessId) -> Result<u64, BrokerError> {
        Ok(0)
    }

    async fn take_dead_lettered(&self, _: ProcessId, _: usize) -> Result<Vec<DeadLettered>, BrokerError> {
        Ok(vec![])
    }

    async fn depth(&self, _: Queue) -> Result<Depth, BrokerError> {
        let state = self.state();
        match state.broker_away {
            true => Err(BrokerError::Unavailable { broker: "test", reason: "away".into() }),
            false => Ok(Depth { ready: state.ready, oldest: None }),
        }
    }
}

#[async_trait]
impl Driver for FakeCluster {
    async fn replicas(&self) -> Result<Vec<Replica>, DriverError> {
        let state = self.state();
        if state.driver_away {
            return Err(DriverError::Unavailable { driver: "test", reason: "away".into() });
        }
        let replica = |(number, (_, draining)): (&u8, &(u32, bool))| Replica {
            id: ReplicaId(number.to_string()),
            worker: Some(id(*number)),
            host: None,
            draining: *draining,
        };
        Ok(state.replicas.iter().map(replica).collect())
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        let mut state = self.state();
        if state.driver_refuses {
            return Err(DriverError::Refused {
                driver: "test",
                pool: "main".into(),
                reason: "no room".into(),
            });
        }
        for _ in 0..count {
            state.next += 1;
            let number = state.next;
            state.replicas.insert(number, (0, false));
        }
        Ok(())
    }

    async fn drain(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        let mut state = self.state();
        for replica in replicas {
            state.replicas.get_mut(&replica.0.parse().unwrap()).unwrap().1 = true;
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
