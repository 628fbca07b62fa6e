//! A heartbeat as a store holds it. In Redis, earlier versions' processes read and write it as well; in an
//! SQLite file, an earlier version left its last ones.
//!
//! Guarantees: an earlier version reads this one's heartbeats, with what it knows: its one queue for P2 and
//! P3 in place of both, and no queue of a user's own. Never does: lose something between processes of this
//! version.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};

use crate::store::{Beat, Done, Usage};
use clawpool_core::{
    figures::Machine,
    task::{ProcessId, Queue, QueuePattern, TaskId, Timestamp, span},
};

/// The queue that an earlier version has for P2 and P3.
pub(crate) const SHARED: &str = "high";

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    worker: ProcessId,
    pool: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Cow<'a, str>>,
    host: Cow<'a, str>,
    pid: u32,
    started_at: Timestamp,
    slots: u32,
    draining: bool,
    queues: Vec<Cow<'a, str>>,
    running: Vec<u32>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    progress: Cow<'a, [(TaskId, String)]>,
    #[serde(with = "span")]
    lease: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<StoredUsage>,
    /// Absent in heartbeats of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<Machine>,
    #[serde(default)]
    done: StoredDone,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<Vec<Cow<'a, str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kinds: Option<Cow<'a, [String]>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unhandled: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Absent in heartbeats of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open<'a>>,
}

/// As earlier versions name it.
#[derive(Serialize, Deserialize)]
struct StoredUsage {
    cpu: f32,
    memory: u64,
}

/// As earlier versions name it.
#[derive(Default, Serialize, Deserialize)]
struct StoredDone {
    tasks: u64,
    #[serde(with = "span")]
    run: Duration,
}

/// What earlier versions cannot say.
#[derive(Serialize, Deserialize)]
struct Open<'a> {
    queues: Cow<'a, [Queue]>,
    serves: Option<Cow<'a, [QueuePattern]>>,
    running: Cow<'a, [u32]>,
    paused: Option<Cow<'a, [Queue]>>,
    unhandled: Cow<'a, [(Queue, String)]>,
}

pub(crate) fn pack(beat: &Beat) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let (queues, running) = earlier_load(beat);
    let names = |queues: &[Queue]| {
        let mut names: Vec<Cow<'static, str>> = queues.iter().filter_map(|queue| earlier(*queue)).collect();
        names.dedup();
        names
    };
    let unhandled = |(queue, kind): &'_ (Queue, String)| Some((earlier(*queue)?, Cow::Owned(kind.clone())));
    rmp_serde::to_vec_named(&Stored {
        worker: beat.worker,
        pool: Cow::Borrowed(&beat.pool),
        version: beat.version.as_deref().map(Cow::Borrowed),
        host: Cow::Borrowed(&beat.host),
        pid: beat.pid,
        started_at: beat.started_at,
        slots: beat.slots,
        draining: beat.draining,
        queues,
        running,
        progress: Cow::Borrowed(&beat.progress),
        lease: beat.lease,
        usage: beat.usage.map(|Usage { cpu, memory }| StoredUsage { cpu, memory }),
        machine: beat.machine,
        done: StoredDone { tasks: beat.done.tasks, run: beat.done.run },
        paused: beat.paused.as_deref().map(names),
        kinds: beat.kinds.as_deref().map(Cow::Borrowed),
        unhandled: beat.unhandled.iter().filter_map(unhandled).collect(),
        open: Some(Open {
            queues: Cow::Borrowed(&beat.queues),
            serves: beat.serves.as_deref().map(Cow::Borrowed),
            running: Cow::Borrowed(&beat.running),
            paused: beat.paused.as_deref().map(Cow::Borrowed),
            unhandled: Cow::Borrowed(&beat.unhandled),
        }),
    })
}

/// What an earlier version calls the queue; none: it does not know it.
fn earlier(queue: Queue) -> Option<Cow<'static, str>> {
    if queue == Queue::P2 || queue == Queue::P3 {
        return Some(Cow::Borrowed(SHARED));
    }
    queue.is_class().then(|| Cow::Borrowed(queue.name()))
}

/// The queues that an earlier version knows, and what runs of each.
fn earlier_load(beat: &Beat) -> (Vec<Cow<'static, str>>, Vec<u32>) {
    let mut queues: Vec<Cow<'static, str>> = Vec::new();
    let mut running = Vec::new();
    for (queue, tasks) in beat.queues.iter().zip(&beat.running) {
        let Some(name) = earlier(*queue) else { continue };
        match queues.iter().position(|known| *known == name) {
            Some(at) => running[at] += tasks,
            None => {
                queues.push(name);
                running.push(*tasks);
            }
        }
    }
    (queues, running)
}

/// The queues that one name of an earlier version stands for; none where it names no queue.
pub(crate) fn named(name: &str) -> Vec<Queue> {
    match name {
        SHARED => vec![Queue::P2, Queue::P3],
        name => name.parse().into_iter().collect(),
    }
}

pub(crate) fn unpack(bytes: &[u8]) -> Result<Beat, rmp_serde::decode::Error> {
    let stored: Stored<'_> = rmp_serde::from_slice(bytes)?;
    let open = stored.open.unwrap_or_else(|| {
        let loads = stored.queues.iter().zip(&stored.running);
        let each = loads.flat_map(|(name, running)| {
            let counts = std::iter::once(*running).chain(std::iter::repeat(0));
            named(name).into_iter().zip(counts)
        });
        let (queues, running): (Vec<Queue>, Vec<u32>) = each.unzip();
        let all = |names: Vec<Cow<'_, str>>| names.iter().flat_map(|name| named(name)).collect();
        let of = |(name, kind): (Cow<'_, str>, Cow<'_, str>)| {
            let kind = kind.into_owned();
            named(&name).into_iter().map(move |queue| (queue, kind.clone()))
        };
        Open {
            queues: queues.into(),
            serves: None,
            running: running.into(),
            paused: stored.paused.map(|names| Cow::Owned(all(names))),
            unhandled: stored.unhandled.into_iter().flat_map(of).collect(),
        }
    });
    Ok(Beat {
        worker: stored.worker,
        pool: stored.pool.into_owned(),
        version: stored.version.map(Cow::into_owned),
        host: stored.host.into_owned(),
        pid: stored.pid,
        started_at: stored.started_at,
        slots: stored.slots,
        draining: stored.draining,
        queues: open.queues.into_owned(),
        serves: open.serves.map(Cow::into_owned),
        running: open.running.into_owned(),
        progress: stored.progress.into_owned(),
        lease: stored.lease,
        usage: stored.usage.map(|StoredUsage { cpu, memory }| Usage { cpu, memory }),
        machine: stored.machine,
        done: Done { tasks: stored.done.tasks, run: stored.done.run },
        paused: open.paused.map(Cow::into_owned),
        kinds: stored.kinds.map(Cow::into_owned),
        unhandled: open.unhandled.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::beat_of;
    use clawpool_core::task::{Lane, Priority};

    /// As the version before reads and writes it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Earlier {
        queues: Vec<String>,
        running: Vec<u32>,
        #[serde(default)]
        unhandled: Vec<(String, String)>,
    }

    #[test]
    fn an_earlier_version_reads_what_it_knows_and_this_one_loses_nothing() {
        let own = Queue::new("calls", Priority::P2, Lane::High).unwrap();
        let beat = Beat {
            queues: vec![Queue::P2, Queue::P3, Queue::P4, own],
            running: vec![1, 2, 3, 4],
            paused: Some(vec![own, Queue::P4]),
            unhandled: vec![(Queue::P3, "a".into()), (own, "b".into())],
            ..beat_of(ProcessId::new(), Duration::from_secs(3))
        };
        let bytes = pack(&beat).unwrap();
        let seen: Earlier = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(
            (&seen.queues[..], &seen.running[..]),
            (&["high".into(), "normal.p4".into()][..], &[3, 3][..])
        );
        assert_eq!(seen.unhandled, [("high".to_owned(), "a".to_owned())]);
        let read = unpack(&bytes).unwrap();
        assert_eq!((read.queues, read.running), (beat.queues, beat.running));
        assert_eq!((read.paused, read.unhandled), (beat.paused, beat.unhandled));
    }

    #[test]
    fn an_earlier_versions_heartbeat_is_read() {
        let beat = beat_of(ProcessId::new(), Duration::from_secs(3));
        let packed = pack(&beat).unwrap();
        let mut stored: Stored<'_> = rmp_serde::from_slice(&packed).unwrap();
        stored.open = None;
        stored.queues = vec!["critical.p0".into(), SHARED.into()];
        stored.running = vec![1, 5];
        let bytes = rmp_serde::to_vec_named(&stored).unwrap();
        let read = unpack(&bytes).unwrap();
        assert_eq!(read.queues, [Queue::P0, Queue::P2, Queue::P3]);
        assert_eq!(read.running, [1, 5, 0]);
        assert_eq!((read.kinds, read.unhandled.len()), (None, 0));
    }
}
