//! A store and a broker in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};

use clawpool_backends::{
    broker::{Broker, BrokerError, Consumer, DeadLettered, Delivery, Depth, Receipt},
    store::{
        Beat, Done, Entry, Fence, JournalStore, NoteStore, Orders, Page, Question, StoreError, Topic, Usage,
        WorkerInfo, WorkerStore, conformance::beat_of,
    },
};
use clawpool_core::task::{Message, ProcessId, Queue, TaskId, Timestamp};

/// A store and a broker. Tells the test what was done for which worker; the test says which workers beat.
pub(super) struct FakeServers {
    pub(super) done: mpsc::UnboundedSender<(&'static str, ProcessId)>,
    /// One permit for each reading of the registry, so that the test is the clock.
    pub(super) snapshots: Semaphore,
    pub(super) known: Mutex<HashSet<ProcessId>>,
    pub(super) silent: Mutex<HashSet<ProcessId>>,
    pub(super) beats: Mutex<u64>,
    /// What workers die with.
    pub(super) claimed: Mutex<Vec<TaskId>>,
    /// What they were polling, as their supervisor saw it.
    pub(super) polled: Mutex<Vec<Option<Vec<TaskId>>>>,
    /// What they say of themselves.
    pub(super) said: Mutex<HashMap<ProcessId, (u64, u64)>>,
    pub(super) journal: Mutex<Vec<Entry>>,
    pub(super) notes: Mutex<HashSet<String>>,
    /// It can be read and not written, and how often a write was tried.
    pub(super) full: AtomicBool,
    pub(super) refused: AtomicUsize,
    /// The same for the journal alone.
    pub(super) refusals: AtomicUsize,
}

impl FakeServers {
    pub(super) fn new(done: mpsc::UnboundedSender<(&'static str, ProcessId)>) -> Self {
        Self {
            done,
            snapshots: Semaphore::new(0),
            known: Mutex::default(),
            silent: Mutex::default(),
            beats: Mutex::new(1),
            claimed: Mutex::default(),
            polled: Mutex::default(),
            said: Mutex::default(),
            journal: Mutex::default(),
            notes: Mutex::default(),
            full: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl WorkerStore for FakeServers {
    async fn beat(&self, _: &Beat) -> Result<Orders, StoreError> {
        Ok(Orders::default())
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        self.snapshots.acquire().await.unwrap().forget();
        let mut beats = self.beats.lock().unwrap();
        *beats += 1;
        let silent = self.silent.lock().unwrap();
        let known = self.known.lock().unwrap();
        let said = self.said.lock().unwrap();
        let one = |worker: &ProcessId| {
            let mut info = info(*worker, if silent.contains(worker) { 0 } else { *beats });
            if let Some((tasks, memory)) = said.get(worker) {
                info.beat.done = Done { tasks: *tasks, run: Duration::ZERO };
                info.beat.usage = Some(Usage { cpu: 1.0, memory: *memory });
            }
            info
        };
        Ok(known.iter().map(one).collect())
    }

    async fn drain(&self, _: ProcessId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn end_lease(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError> {
        self.polled.lock().unwrap().push(polled.map(<[_]>::to_vec));
        self.done.send(("end_lease", worker)).unwrap();
        Ok(self.claimed.lock().unwrap().clone())
    }

    async fn ask(&self, _: &[Question]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, worker: ProcessId) -> Result<(), StoreError> {
        self.done.send(("forget", worker)).unwrap();
        Ok(())
    }
}

#[async_trait]
impl JournalStore for FakeServers {
    async fn append(&self, _: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Blocked { store: "test", reason: "full".into() });
        }
        self.journal.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn journal(
        &self,
        _: Topic,
        _: Option<&str>,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<Entry>, StoreError> {
        Ok(Page { items: self.journal.lock().unwrap().clone(), next: None })
    }
}

#[async_trait]
impl NoteStore for FakeServers {
    async fn put_note(
        &self,
        _: Option<Fence>,
        name: &str,
        _: Bytes,
        _: Option<Duration>,
    ) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable { store: "test", reason: "full".into() });
        }
        self.notes.lock().unwrap().insert(name.to_owned());
        Ok(())
    }

    async fn note(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }

    async fn notes(&self, _: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        Ok(vec![])
    }

    async fn erase_note(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.notes.lock().unwrap().remove(name))
    }
}

pub(in crate::supervise) fn info(worker: ProcessId, beats: u64) -> WorkerInfo {
    let beat = Beat { pool: "test".into(), ..beat_of(worker, Duration::from_secs(3)) };
    WorkerInfo { beat, beats, last_beat: Timestamp::now(), alive: true }
}

#[async_trait]
impl Broker for FakeServers {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        messages.iter().map(|_| Ok(())).collect()
    }

    async fn consume(&self, _: ProcessId, _: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(Nothing))
    }

    async fn ack(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn release(&self, _: Vec<Receipt>) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn reclaim(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        self.done.send(("reclaim", worker)).unwrap();
        Ok(3)
    }

    async fn take_dead_lettered(&self, _: ProcessId, _: usize) -> Result<Vec<DeadLettered>, BrokerError> {
        Ok(vec![])
    }

    async fn depth(&self, _: Queue) -> Result<Depth, BrokerError> {
        Ok(Depth::default())
    }
}

struct Nothing;

#[async_trait]
impl Consumer for Nothing {
    async fn next(&mut self, _: usize) -> Result<Vec<Delivery>, BrokerError> {
        std::future::pending().await
    }

    async fn pause(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}
