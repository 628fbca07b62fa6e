//! Which queues and kinds the living workers serve, as their last heartbeats say.

use std::collections::{BTreeSet, HashMap};

use super::{Beat, WorkerInfo};
use clawpool_core::task::{KindPattern, Queue};

#[derive(Clone, Debug, Default)]
pub struct Served {
    /// One for all workers that are alike.
    groups: Vec<Group>,
    /// Kinds that came to a worker without a handler for them.
    unhandled: HashMap<Queue, BTreeSet<String>>,
}

/// Workers of one pool, mostly.
#[derive(Clone, Debug)]
struct Group {
    /// The heartbeat of one of them.
    beat: Beat,
    /// None: they do not say which kinds they handle.
    kinds: Option<Vec<KindPattern>>,
    workers: u64,
}

impl Group {
    fn new(beat: &Beat) -> Self {
        // What is no pattern matches no kind.
        let patterns = |kinds: &Vec<String>| kinds.iter().filter_map(|kind| kind.parse().ok()).collect();
        Self { beat: beat.clone(), kinds: beat.kinds.as_ref().map(patterns), workers: 0 }
    }

    fn is_like(&self, beat: &Beat) -> bool {
        self.beat.kinds == beat.kinds
            && match (&self.beat.serves, &beat.serves) {
                (None, None) => self.beat.queues == beat.queues,
                (one, other) => one == other,
            }
    }

    fn handles(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|pattern| pattern.matches(kind)))
    }
}

impl Served {
    /// Workers that drain take nothing more.
    pub fn by(workers: &[WorkerInfo]) -> Self {
        let mut served = Self::default();
        for info in workers.iter().filter(|info| info.alive && !info.beat.draining) {
            let at = served.groups.iter().position(|group| group.is_like(&info.beat)).unwrap_or_else(|| {
                served.groups.push(Group::new(&info.beat));
                served.groups.len() - 1
            });
            served.groups[at].workers += 1;
            for (queue, kind) in &info.beat.unhandled {
                served.unhandled.entry(*queue).or_default().insert(kind.clone());
            }
        }
        served
    }

    fn of(&self, queue: Queue) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.beat.serves(queue))
    }

    /// How many workers take tasks from a queue.
    pub fn workers(&self, queue: Queue) -> u64 {
        self.of(queue).map(|group| group.workers).sum()
    }

    /// Whether a worker of the queue has a handler for the kind, or may have one.
    pub fn handles(&self, queue: Queue, kind: &str) -> bool {
        self.of(queue).any(|group| group.handles(kind))
    }

    /// Kinds of which tasks came on the queue and that none of its workers handles.
    pub fn unhandled(&self, queue: Queue) -> impl Iterator<Item = &str> {
        let kinds = self.unhandled.get(&queue).into_iter().flatten().map(String::as_str);
        kinds.filter(move |kind| !self.handles(queue, kind))
    }

    /// What a producer of such a task should know.
    pub fn warnings(&self, queue: Queue, kind: &str) -> Vec<String> {
        if self.workers(queue) == 0 {
            return vec![format!("no live worker serves {queue}: the task waits until one does, or expires")];
        }
        if self.handles(queue, kind) {
            return Vec::new();
        }
        vec![format!(
            "no live worker of {queue} has a handler for {kind:?}: the task waits until one has, or expires"
        )]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::conformance::beat_of;
    use clawpool_core::task::{Lane, Priority, ProcessId, Timestamp};

    fn info(queues: &[Queue], kinds: Option<&[&str]>) -> WorkerInfo {
        let kinds = kinds.map(|kinds| kinds.iter().map(|kind| (*kind).to_owned()).collect());
        let beat =
            Beat { queues: queues.to_vec(), kinds, ..beat_of(ProcessId::new(), Duration::from_secs(3)) };
        WorkerInfo { beat, beats: 1, last_beat: Timestamp::now(), alive: true }
    }

    #[test]
    fn a_queue_or_a_kind_that_no_worker_serves_is_told() {
        let mut workers = [info(&[Queue::P4], Some(&["email.*", "pay"])), info(&[Queue::P2], None)];
        let served = Served::by(&workers);
        assert_eq!((served.workers(Queue::P4), served.workers(Queue::P0)), (1, 0));
        assert!(
            served.warnings(Queue::P4, "email.send").is_empty()
                && served.warnings(Queue::P4, "pay").is_empty()
        );
        assert!(
            served.warnings(Queue::P4, "emial.send")[0].contains("no live worker of normal.p4 has a handler")
        );
        assert!(served.warnings(Queue::P0, "pay")[0].contains("no live worker serves critical.p0"));
        // An older version's worker does not say what it handles, so nothing is known against it.
        assert!(served.warnings(Queue::P2, "anything").is_empty());
        workers[0].beat.unhandled = vec![(Queue::P4, "emial.send".into()), (Queue::P4, "email.late".into())];
        assert_eq!(Served::by(&workers).unhandled(Queue::P4).collect::<Vec<_>>(), ["emial.send"]);
        workers[0].beat.draining = true;
        assert_eq!(Served::by(&workers).workers(Queue::P4), 0);
        workers[1].alive = false;
        assert_eq!(Served::by(&workers).workers(Queue::P2), 0);
    }

    #[test]
    fn a_queue_that_is_made_later_is_served_by_a_pattern() {
        let calls = Queue::new("llm.calls", Priority::P2, Lane::High).unwrap();
        let mut worker = info(&[Queue::P4], None);
        assert_eq!(Served::by(std::slice::from_ref(&worker)).workers(calls), 0);
        worker.beat.serves = Some(vec!["llm.*".parse().unwrap()]);
        let served = Served::by(&[worker.clone(), worker]);
        assert_eq!((served.workers(calls), served.workers(Queue::P4)), (2, 0));
    }

    #[test]
    fn an_older_versions_heartbeat_is_read() {
        let beat = beat_of(ProcessId::new(), Duration::from_secs(3));
        let bytes = rmp_serde::to_vec_named(&beat).unwrap();
        let read: Beat = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!((read.kinds, read.unhandled.len()), (None, 0));
        assert!(
            !String::from_utf8_lossy(&bytes).contains("kinds"),
            "absent as an older version leaves it out"
        );
    }
}
