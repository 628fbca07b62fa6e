//! A store in memory, for tests of what leads, scales and supervises. It takes its time from tokio, so that a
//! test with paused time lives through hours of leases at once.
//!
//! Guarantees: leadership and its fences, notes and their ends, and the journal are as with the real stores.
//! Never does: keep tasks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

use super::{
    Beat, ControlStore, Entry, Fence, Followed, JournalStore, NoteStore, Orders, Page, Place, Question, Role,
    StoreError, Topic, Totals, WorkerInfo, WorkerStore, conformance::beat_of,
};
use clawpool_core::task::{ProcessId, Queue, TaskId, Timestamp};

/// What was done for a worker: the method's name, and the worker.
pub type Call = (&'static str, ProcessId);

pub struct TestStore {
    state: Mutex<State>,
    /// One permit for each reading of the registry. A test that is the clock takes them away and adds one
    /// for each reading that it allows.
    pub readings: Semaphore,
    calls: Option<mpsc::UnboundedSender<Call>>,
}

/// What the store holds and how it fails, for a test to read and change.
#[derive(Default)]
pub struct State {
    /// It answers nothing.
    pub away: bool,
    /// It can be read, and takes no entry of the journal and no note.
    pub full: bool,
    /// Writes that it refused while it was full.
    pub refused_entries: usize,
    pub refused_notes: usize,
    /// The latest term of each role.
    pub terms: HashMap<Role, Term>,
    pub workers: BTreeMap<ProcessId, WorkerInfo>,
    /// Those of them that are seen to live. None: the store cannot look.
    pub connected: Option<Vec<ProcessId>>,
    /// How often it was asked for them.
    pub looks: usize,
    /// Workers that were told to drain.
    pub drained: Vec<ProcessId>,
    /// What every worker runs as its lease is ended.
    pub running: Vec<TaskId>,
    /// What ended workers were polling, as their supervisor saw it.
    pub polled: Vec<Option<Vec<TaskId>>>,
    pub journal: Vec<Entry>,
    pub notes: BTreeMap<String, Note>,
}

/// A leader's time.
#[derive(Clone, Copy)]
pub struct Term {
    pub who: ProcessId,
    pub number: u64,
    pub until: Instant,
}

impl Term {
    pub fn lasts(&self) -> bool {
        self.until > Instant::now()
    }
}

pub struct Note {
    pub value: Bytes,
    pub until: Option<Instant>,
}

impl Note {
    fn lasts(&self) -> bool {
        self.until.is_none_or(|until| until > Instant::now())
    }
}

/// What the registry says of a worker that lives.
pub fn worker_info(pool: &str, worker: ProcessId, beats: u64) -> WorkerInfo {
    let beat = Beat { pool: pool.into(), ..beat_of(worker, Duration::from_secs(3)) };
    WorkerInfo { beat, beats, last_beat: Timestamp::now(), alive: true }
}

impl Default for TestStore {
    fn default() -> Self {
        Self { state: Mutex::default(), readings: Semaphore::new(Semaphore::MAX_PERMITS), calls: None }
    }
}

impl TestStore {
    /// A store that tells of each lease that is ended and each worker that is forgotten.
    pub fn telling(calls: mpsc::UnboundedSender<Call>) -> Self {
        Self { calls: Some(calls), ..Self::default() }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on the registry is read only as often as [`readings`](Self::readings) has permits.
    pub fn hold_readings(&self) {
        self.readings.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Another process takes the role, whatever the leader's lease says.
    pub fn usurp(&self, role: Role, lease: Duration) {
        let mut state = self.state();
        let number = state.fence(role) + 1;
        state.terms.insert(role, Term { who: ProcessId::new(), number, until: Instant::now() + lease });
    }

    fn answer(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.away {
            return Err(StoreError::Unavailable { store: "test", reason: "away".into() });
        }
        Ok(state)
    }

    fn tell(&self, call: Call) {
        if let Some(calls) = &self.calls {
            calls.send(call).unwrap();
        }
    }
}

impl State {
    /// The number of the latest term.
    fn fence(&self, role: Role) -> u64 {
        self.terms.get(&role).map_or(0, |term| term.number)
    }

    fn check(&self, fence: Option<Fence>) -> Result<(), StoreError> {
        let Some(Fence { role, number }) = fence else { return Ok(()) };
        let current = self.fence(role);
        if number < current {
            return Err(StoreError::Fenced { held: number, current });
        }
        Ok(())
    }

    fn blocked() -> StoreError {
        StoreError::Blocked { store: "test", reason: "full".into() }
    }
}

#[async_trait]
impl ControlStore for TestStore {
    async fn lead(&self, role: Role, who: ProcessId, lease: Duration) -> Result<Option<Fence>, StoreError> {
        let mut state = self.answer()?;
        let number = match state.terms.get(&role).filter(|term| term.lasts()) {
            Some(term) if term.who != who => return Ok(None),
            Some(term) => term.number,
            None => state.fence(role) + 1,
        };
        state.terms.insert(role, Term { who, number, until: Instant::now() + lease });
        Ok(Some(Fence { role, number }))
    }

    async fn resign(&self, fence: Fence) -> Result<(), StoreError> {
        let mut state = self.answer()?;
        if let Some(term) = state.terms.get_mut(&fence.role).filter(|term| term.number == fence.number) {
            term.until = Instant::now();
        }
        Ok(())
    }

    async fn set_paused(&self, _: Queue, _: bool) -> Result<(), StoreError> {
        self.answer().map(drop)
    }

    async fn paused(&self) -> Result<Vec<Queue>, StoreError> {
        self.answer().map(|_| Vec::new())
    }

    async fn take_tokens(&self, _: &str, want: u32, _: f64, _: u32) -> Result<(u32, Duration), StoreError> {
        self.answer().map(|_| (want, Duration::ZERO))
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.answer().map(|_| Totals::new())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.answer().map(drop)
    }
}

#[async_trait]
impl WorkerStore for TestStore {
    async fn beat(&self, _: &Beat) -> Result<Orders, StoreError> {
        self.answer().map(|_| Orders::default())
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        self.readings.acquire().await.unwrap().forget();
        Ok(self.answer()?.workers.values().cloned().collect())
    }

    async fn connected(&self, workers: &[ProcessId]) -> Result<Option<Vec<ProcessId>>, StoreError> {
        let mut state = self.answer()?;
        state.looks += 1;
        let asked = |connected: &Vec<ProcessId>| {
            connected.iter().copied().filter(|worker| workers.contains(worker)).collect()
        };
        Ok(state.connected.as_ref().map(asked))
    }

    async fn drain(&self, worker: ProcessId) -> Result<bool, StoreError> {
        let mut state = self.answer()?;
        state.drained.push(worker);
        Ok(state.workers.contains_key(&worker))
    }

    async fn end_lease(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError> {
        let mut state = self.answer()?;
        state.polled.push(polled.map(<[_]>::to_vec));
        self.tell(("end_lease", worker));
        Ok(state.running.clone())
    }

    async fn ask(&self, _: &[Question]) -> Result<(), StoreError> {
        self.answer().map(drop)
    }

    async fn forget(&self, worker: ProcessId) -> Result<(), StoreError> {
        self.answer()?.workers.remove(&worker);
        self.tell(("forget", worker));
        Ok(())
    }
}

#[async_trait]
impl JournalStore for TestStore {
    async fn append(&self, fence: Option<Fence>, entries: &[Entry]) -> Result<(), StoreError> {
        let mut state = self.answer()?;
        state.check(fence)?;
        if state.full {
            state.refused_entries += 1;
            return Err(State::blocked());
        }
        state.journal.extend_from_slice(entries);
        Ok(())
    }

    /// All in one page.
    async fn journal(
        &self,
        topic: Topic,
        subject: Option<&str>,
        _: Option<&str>,
        _: usize,
    ) -> Result<Page<Entry>, StoreError> {
        let state = self.answer()?;
        let latest_first = state.journal.iter().rev();
        let of_topic = latest_first.filter(|entry| entry.topic == topic);
        let found = of_topic.filter(|entry| subject.is_none_or(|subject| entry.subject == subject));
        Ok(Page::new(found.cloned().collect(), None))
    }

    /// The place of an entry is its number in the journal, from 1.
    async fn follow(
        &self,
        topics: &[(Topic, Option<Place>)],
        limit: usize,
    ) -> Result<Vec<Followed>, StoreError> {
        let state = self.answer()?;
        let numbered = || state.journal.iter().zip(1..).map(|(entry, number)| (Place(number, 0), entry));
        let followed = |(topic, after): &(Topic, Option<Place>)| {
            let own = numbered().filter(|(_, entry)| entry.topic == *topic);
            let last = own.clone().last().map(|(place, _)| place).unwrap_or_default();
            let later = own.filter(|(place, _)| after.is_some_and(|after| *place > after)).take(limit);
            let entries: Vec<_> = later.map(|(place, entry)| (place, entry.clone())).collect();
            let next = entries.last().map_or(last, |(place, _)| *place);
            let lost = after.is_some_and(|after| after > last);
            Followed { topic: *topic, more: entries.len() == limit, entries, lost, next }
        };
        Ok(topics.iter().map(followed).collect())
    }
}

#[async_trait]
impl NoteStore for TestStore {
    async fn put_note(
        &self,
        fence: Option<Fence>,
        name: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), StoreError> {
        let mut state = self.answer()?;
        state.check(fence)?;
        if state.full {
            state.refused_notes += 1;
            return Err(State::blocked());
        }
        let until = keep.map(|keep| Instant::now() + keep);
        state.notes.insert(name.to_owned(), Note { value, until });
        Ok(())
    }

    async fn note(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let state = self.answer()?;
        let note = state.notes.get(name).filter(|note| note.lasts());
        Ok(note.map(|note| note.value.clone()))
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        let state = self.answer()?;
        let found = state.notes.iter().filter(|(name, note)| name.starts_with(prefix) && note.lasts());
        Ok(found.map(|(name, note)| (name.clone(), note.value.clone())).collect())
    }

    async fn erase_note(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.answer()?.notes.remove(name).is_some_and(|note| note.lasts()))
    }
}
