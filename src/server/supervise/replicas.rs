use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::replica::Controls;
use clawpool_core::task::ProcessId;

/// Ended workers that are remembered, the latest. The registry shows each for a minute at most.
const REMEMBERED: usize = 1000;

/// The replicas of a pool, and the worker of each.
#[derive(Default)]
pub(super) struct Replicas {
    entries: BTreeMap<u64, Entry>,
    last: u64,
    /// Workers whose process has ended. Ids begin with their time, so that the first is the oldest.
    ended: BTreeSet<ProcessId>,
}

struct Entry {
    /// The worker that runs here, or the one that will start next.
    worker: ProcessId,
    up: bool,
    controls: Controls,
    /// Why no worker runs here.
    waiting: Option<Waiting>,
}

/// What a replica without a worker waits for.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) why: String,
    /// Its next start; without it only a person brings one.
    pub(super) until: Option<Instant>,
}

/// One worker of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    pub worker: ProcessId,
    /// Its process runs; else it waits for its start.
    pub up: bool,
    /// It was told to leave, and no worker comes after it.
    pub draining: bool,
}

impl Replicas {
    /// A new replica, for a worker that is yet to start.
    pub(super) fn add(&mut self) -> (u64, Controls) {
        self.last += 1;
        let controls = Controls::default();
        self.entries.insert(
            self.last,
            Entry { worker: ProcessId::new(), up: false, controls: controls.clone(), waiting: None },
        );
        (self.last, controls)
    }

    /// The replica's worker starts now; answers under which id.
    pub(super) fn start(&mut self, number: u64) -> ProcessId {
        match self.entries.get_mut(&number) {
            Some(entry) => {
                entry.up = true;
                entry.waiting = None;
                entry.worker
            }
            None => ProcessId::new(),
        }
    }

    /// The replica's worker is dead. The next one has an id of its own.
    pub(super) fn end(&mut self, number: u64) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.up = false;
            let ended = std::mem::replace(&mut entry.worker, ProcessId::new());
            self.remember(ended);
        }
    }

    /// The replica stays without a worker for now.
    pub(super) fn set_waiting(&mut self, number: u64, waiting: Waiting) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.waiting = Some(waiting);
        }
    }

    /// The replicas without a worker, apart from those whose first one is on its way.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        self.entries.values().filter_map(|entry| entry.waiting.clone()).collect()
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(entry) = self.entries.remove(&number) {
            self.remember(entry.worker);
        }
    }

    fn remember(&mut self, ended: ProcessId) {
        self.ended.insert(ended);
        if self.ended.len() > REMEMBERED {
            self.ended.pop_first();
        }
    }

    /// Its process has ended, whatever the registry still shows.
    pub(super) fn has_ended(&self, worker: ProcessId) -> bool {
        self.ended.contains(&worker)
    }

    pub(super) fn controls_of(&self, workers: &[ProcessId]) -> Vec<Controls> {
        let entries = self.entries.values().filter(|entry| workers.contains(&entry.worker));
        entries.map(|entry| entry.controls.clone()).collect()
    }

    pub(super) fn controls(&self) -> Vec<Controls> {
        self.entries.values().map(|entry| entry.controls.clone()).collect()
    }

    /// Of the replicas whose worker is down.
    pub(super) fn waiting_controls(&self) -> Vec<Controls> {
        self.entries.values().filter(|entry| !entry.up).map(|entry| entry.controls.clone()).collect()
    }

    pub(super) fn replicas(&self) -> Vec<ReplicaStatus> {
        let replica = |entry: &Entry| ReplicaStatus {
            worker: entry.worker,
            up: entry.up,
            draining: entry.controls.leave.is_cancelled(),
        };
        self.entries.values().map(replica).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_its_id_before_it_comes_up_and_its_successor_another() {
        let mut replicas = Replicas::default();
        let replica = replicas.add().0;
        let first = replicas.replicas()[0].worker;
        assert_eq!(replicas.start(replica), first);
        assert!(!replicas.has_ended(first));
        replicas.end(replica);
        let second = replicas.replicas()[0].worker;
        assert!(replicas.has_ended(first) && !replicas.has_ended(second));
        replicas.remove(replica);
        assert!(replicas.has_ended(second) && replicas.replicas().is_empty());
    }

    #[test]
    fn only_the_latest_ended_workers_are_remembered() {
        let mut replicas = Replicas::default();
        let replica = replicas.add().0;
        let mut ended = Vec::new();
        for _ in 0..=REMEMBERED {
            ended.push(replicas.start(replica));
            replicas.end(replica);
        }
        assert!(!replicas.has_ended(ended[0]));
        assert!(ended[1..].iter().all(|worker| replicas.has_ended(*worker)));
    }
}
