//! Which queues a worker takes tasks of.
//!
//! Guarantees: a queue of a user's own costs a worker nothing until it has its first task: no consumer, no
//! timer, no word in a heartbeat. Never does: ask the store while there is nothing new.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::engine::{Engine, Event};
use clawpool_backends::store::{Store, Totals};
use clawpool_core::task::{Queue, QueuePattern};

/// The queues of some patterns that have had a task.
pub(super) struct ServedQueues {
    patterns: Vec<QueuePattern>,
    /// `Orders::queues` as they were read last.
    seen: u64,
    /// They are being read.
    is_reading: bool,
    store: Arc<dyn Store>,
    events: mpsc::Sender<Event>,
}

impl ServedQueues {
    pub fn new(patterns: Vec<QueuePattern>, store: Arc<dyn Store>, events: mpsc::Sender<Event>) -> Self {
        Self { patterns, seen: 0, is_reading: false, store, events }
    }

    /// The own queues of the priorities are always there.
    pub fn classes(&self) -> Vec<Queue> {
        Queue::CLASSES.into_iter().filter(|queue| serves(&self.patterns, *queue)).collect()
    }

    /// Reads which queues there are, if others than before, and tells the engine.
    fn look(&mut self, number: u64) {
        if number == self.seen || self.is_reading {
            return;
        }
        self.is_reading = true;
        let store = Arc::clone(&self.store);
        let events = self.events.clone();
        let patterns = self.patterns.clone();
        tokio::spawn(async move {
            let totals = store.totals().await;
            let queues = totals.inspect_err(|error| tracing::debug!(%error, "queues are not known")).ok();
            let queues = queues.map(|totals| served(&patterns, &totals));
            // The worker leaves: it needs none.
            let _ = events.send(Event::Queues { number, queues }).await;
        });
    }
}

fn serves(patterns: &[QueuePattern], queue: Queue) -> bool {
    patterns.iter().any(|pattern| pattern.matches(queue))
}

/// Most urgent first.
fn served(patterns: &[QueuePattern], totals: &Totals) -> Vec<Queue> {
    let own = totals.keys().copied().filter(|queue| !queue.is_class());
    let mut all: Vec<Queue> = Queue::CLASSES.into_iter().chain(own).collect();
    all.retain(|queue| serves(patterns, *queue));
    all.sort_unstable();
    all
}

impl Engine {
    /// A heartbeat says whether other queues than before have had a task.
    pub(super) fn look_for_queues(&mut self, number: u64) {
        self.served.look(number);
    }

    /// Asked again with the next heartbeat where the store did not answer.
    pub(super) fn on_queues(&mut self, number: u64, queues: Option<Vec<Queue>>) {
        self.served.is_reading = false;
        let Some(queues) = queues else { return };
        self.served.seen = number;
        for source in &mut self.sources {
            let is_critical = source.is_critical;
            source.queues =
                queues.iter().copied().filter(|queue| queue.is_critical() == is_critical).collect();
        }
        self.vitals.set_served(queues);
    }
}
