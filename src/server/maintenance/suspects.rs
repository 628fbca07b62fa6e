//! Tasks that should have a message and may have none: what the walk saw of them, and when that is too long
//! ago.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use clawpool_backends::{
    broker::{Depth, Missing},
    store::{QueueTotals, UnfinishedTask},
};
use clawpool_core::task::{ProcessId, Queue, State, TaskId};

/// Tasks watched at a time. Where more tasks wait, those whose messages are gone are met again when the
/// others have run.
const MAX_WATCHED: usize = 10_000;

/// Tasks that may be with workers, or counted late: a queue must have moved on by so many more than were
/// before one.
const SLACK: u64 = 2_000;

#[derive(Default)]
pub(super) struct Suspects {
    known: HashMap<TaskId, Suspect>,
    /// Seen in the present walk.
    observed: HashSet<TaskId>,
    /// Since when each queue was empty at every reading.
    dry: HashMap<Queue, Instant>,
}

pub(super) struct Suspect {
    pub(super) missing: Missing,
    pub(super) state: State,
    since: Instant,
    /// Messages on its queue, and tasks that had ended there, when it was first read.
    seen: Option<(u64, u64)>,
    pub(super) enqueued_at: clawpool_core::task::Timestamp,
}

/// What a queue holds now.
#[derive(Clone, Copy)]
pub(super) struct QueueSnapshot {
    pub(super) depth: Depth,
    pub(super) ended: u64,
}

impl QueueSnapshot {
    pub(super) const fn new(depth: Depth, totals: &QueueTotals) -> Self {
        Self { depth, ended: totals.completed + totals.dead + totals.retried }
    }
}

/// How sure it is that a task's message does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its queue may still bring it.
    None,
    /// Worth a question, where the broker can be asked.
    Some,
    /// Its queue was empty for long, or has moved past it.
    Sure,
}

impl Suspects {
    /// Remembers a task that may be without a message.
    pub(super) fn observe(&mut self, outline: &UnfinishedTask, live: &[ProcessId]) {
        let orphaned = outline.worker.is_none_or(|worker| !live.contains(&worker));
        let suspicious = !outline.scheduled && (outline.state != State::Running || orphaned);
        let missing = Missing { id: outline.id, generation: outline.generation, queue: outline.queue };
        if !suspicious || self.known.len() >= MAX_WATCHED && !self.known.contains_key(&outline.id) {
            return;
        }
        self.observed.insert(outline.id);
        let is_same = |known: &Suspect| known.missing == missing && known.state == outline.state;
        if !self.known.get(&outline.id).is_some_and(is_same) {
            let state = outline.state;
            let enqueued_at = outline.enqueued_at;
            self.known.insert(
                outline.id,
                Suspect { missing, state, since: Instant::now(), seen: None, enqueued_at },
            );
        }
    }

    /// The walk has seen every record: a task that it did not see is no suspect any more.
    pub(super) fn finish_walk(&mut self) {
        let observed = std::mem::take(&mut self.observed);
        self.known.retain(|id, _| observed.contains(id));
    }

    pub(super) fn queues(&self) -> HashSet<Queue> {
        self.known.values().map(|suspect| suspect.missing.queue).collect()
    }

    pub(super) fn observe_queue(&mut self, queue: Queue, snapshot: QueueSnapshot) {
        if snapshot.depth.ready == 0 {
            self.dry.entry(queue).or_insert_with(Instant::now);
        } else {
            self.dry.remove(&queue);
        }
        for suspect in self.known.values_mut().filter(|suspect| suspect.missing.queue == queue) {
            suspect.seen.get_or_insert((snapshot.depth.ready, snapshot.ended));
        }
    }

    /// Those of a queue that were suspects for `plausible`, with how much doubt there is. Where queues are
    /// `short`, it costs little to ask for every one.
    pub(super) fn doubted(
        &self,
        queue: Queue,
        snapshot: QueueSnapshot,
        short: bool,
        plausible: Duration,
    ) -> Vec<(Missing, State, Doubt)> {
        let old = |since: Instant| since.elapsed() >= plausible;
        let dry = self.dry.get(&queue).is_some_and(|since| old(*since));
        let ripe = self.known.values().filter(|known| known.missing.queue == queue && old(known.since));
        let doubt = |known: &Suspect| {
            // P2 and P3 may share a queue, on which P3 is passed by for as long as it takes.
            let may_share = queue == Queue::P2 || queue == Queue::P3;
            let passed = !may_share
                && known
                    .seen
                    .is_some_and(|(ahead, ended)| snapshot.ended.saturating_sub(ended) > ahead + SLACK);
            let younger = snapshot.depth.oldest.is_some_and(|oldest| oldest > known.enqueued_at);
            match (known.state, dry || passed) {
                (State::Scheduled, _) | (_, true) => Doubt::Sure,
                (_, false) if younger || short => Doubt::Some,
                (_, false) => Doubt::None,
            }
        };
        let doubted = ripe.map(|known| (known.missing, known.state, doubt(known)));
        doubted.filter(|(.., doubt)| *doubt != Doubt::None).collect()
    }

    /// Its message was found, or put back.
    pub(super) fn forget(&mut self, id: TaskId) {
        self.known.remove(&id);
    }
}
