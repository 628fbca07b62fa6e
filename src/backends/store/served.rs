//! Which queues and kinds the living workers serve, as their last heartbeats say.

use std::collections::BTreeSet;

use super::WorkerInfo;
use clawpool_core::task::{KindPattern, Queue};

#[derive(Clone, Debug, Default)]
pub struct Served([Serving; Queue::ALL.len()]);

/// Of one queue.
#[derive(Clone, Debug, Default)]
struct Serving {
    workers: u64,
    /// Workers that do not say which kinds they handle.
    silent: u64,
    kinds: BTreeSet<KindPattern>,
    /// Kinds that came to a worker without a handler for them.
    unhandled: BTreeSet<String>,
}

impl Served {
    /// Workers that drain take nothing more.
    pub fn by(workers: &[WorkerInfo]) -> Self {
        let mut served = Self::default();
        for info in workers.iter().filter(|info| info.alive && !info.beat.draining) {
            for queue in &info.beat.queues {
                let serving = &mut served.0[queue.index()];
                serving.workers += 1;
                match &info.beat.kinds {
                    // What is no pattern matches no kind.
                    Some(kinds) => serving.kinds.extend(kinds.iter().filter_map(|kind| kind.parse().ok())),
                    None => serving.silent += 1,
                }
            }
            for (queue, kind) in &info.beat.unhandled {
                served.0[queue.index()].unhandled.insert(kind.clone());
            }
        }
        served
    }

    /// How many workers take tasks from a queue.
    pub fn workers(&self, queue: Queue) -> u64 {
        self.0[queue.index()].workers
    }

    /// Whether a worker of the queue has a handler for the kind, or may have one.
    pub fn handles(&self, queue: Queue, kind: &str) -> bool {
        let serving = &self.0[queue.index()];
        serving.silent > 0 || serving.kinds.iter().any(|pattern| pattern.matches(kind))
    }

    /// Kinds of which tasks came on the queue and that none of its workers handles.
    pub fn unhandled(&self, queue: Queue) -> impl Iterator<Item = &str> {
        let kinds = self.0[queue.index()].unhandled.iter().map(String::as_str);
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
    use crate::store::{Beat, conformance::beat_of};
    use clawpool_core::task::{ProcessId, Timestamp};

    fn info(queues: &[Queue], kinds: Option<&[&str]>) -> WorkerInfo {
        let kinds = kinds.map(|kinds| kinds.iter().map(|kind| (*kind).to_owned()).collect());
        let beat =
            Beat { queues: queues.to_vec(), kinds, ..beat_of(ProcessId::new(), Duration::from_secs(3)) };
        WorkerInfo { beat, beats: 1, last_beat: Timestamp::now(), alive: true }
    }

    #[test]
    fn a_queue_or_a_kind_that_no_worker_serves_is_told() {
        let mut workers = [info(&[Queue::P4], Some(&["email.*", "pay"])), info(&[Queue::High], None)];
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
        assert!(served.warnings(Queue::High, "anything").is_empty());
        workers[0].beat.unhandled = vec![(Queue::P4, "emial.send".into()), (Queue::P4, "email.late".into())];
        assert_eq!(Served::by(&workers).unhandled(Queue::P4).collect::<Vec<_>>(), ["emial.send"]);
        workers[0].beat.draining = true;
        assert_eq!(Served::by(&workers).workers(Queue::P4), 0);
        workers[1].alive = false;
        assert_eq!(Served::by(&workers).workers(Queue::High), 0);
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
