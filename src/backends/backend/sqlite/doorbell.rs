//! Wakes the waiters for a change of the file, in this process and in others, without polling.
//!
//! Each process listens on a UDP port of the loopback and notes it in the file, with what it waits for. After
//! a commit the writer sends one datagram to each listener that the change concerns. A datagram may be lost,
//! so waiters look again every few seconds all the same. Each process rings at its own door once a second:
//! while it does not hear that, its waiters look every second. Datagrams carry no authority: they only make
//! their receiver look.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, params};
use tokio::sync::{Notify, watch};

use clawpool_core::task::{Queue, TaskId, Timestamp};

const MAGIC: &[u8] = b"clawpool";
/// Ids in one datagram.
const IDS: usize = 500;
/// A listener that has not said for this long that it lives is dead. It says so every few [`CHECK`]s.
const STALE: Duration = Duration::from_secs(120);
pub(crate) const CHECK: Duration = Duration::from_secs(5);

/// What one may wait for, as a bit.
#[derive(Clone, Copy, Debug)]
pub enum Topic {
    /// The queue was empty and is not any more.
    Ready(Queue),
    /// An entry of the schedule set is new or has moved.
    Schedule,
    /// A task has ended.
    Finished,
}

impl Topic {
    /// Bells of queues of users' own. Two may share one: then some look in vain.
    const SHARED: usize = 16;
    const COUNT: usize = 2 + Queue::CLASSES.len() + Self::SHARED;

    fn index(self) -> usize {
        match self {
            Self::Schedule => 0,
            Self::Finished => 1,
            Self::Ready(queue) if queue.is_class() => 2 + queue.priority().index(),
            Self::Ready(queue) => {
                let sum =
                    queue.name().bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte));
                2 + Queue::CLASSES.len() + sum % Self::SHARED
            }
        }
    }

    fn bit(self) -> u32 {
        1 << self.index()
    }
}

/// What a transaction has changed that another caller may wait for.
#[derive(Debug, Default)]
pub(crate) struct Rings {
    topics: u32,
    finished: Vec<TaskId>,
}

impl Rings {
    pub(crate) fn ring(&mut self, topic: Topic) {
        self.topics |= topic.bit();
    }

    pub(crate) fn finished(&mut self, id: TaskId) {
        self.ring(Topic::Finished);
        self.finished.push(id);
    }
}

pub(crate) struct Doorbell {
    port: u16,
    /// Not the one that listens: on Windows a dead receiver's refusal would end the listening.
    sender: UdpSocket,
    /// What this process waits for, as its row in the file says.
    listening: AtomicU32,
    /// Since it was last asked whether it is alive.
    was_heard: AtomicBool,
    /// The log was told that it is not.
    told: AtomicBool,
    bells: [watch::Sender<()>; Topic::COUNT],
    /// The waiters for the end of a task: how many, and what wakes them.
    waiters: Mutex<HashMap<TaskId, (usize, Arc<Notify>)>>,
}

impl Doorbell {
    /// A doorbell, and the socket whose datagrams are for [`Doorbell::heard`].
    pub(crate) fn new() -> std::io::Result<(Self, UdpSocket)> {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        for socket in [&receiver, &sender] {
            socket.set_nonblocking(true)?;
        }
        let bell = Self {
            port: receiver.local_addr()?.port(),
            sender,
            listening: AtomicU32::new(0),
            was_heard: AtomicBool::new(true),
            told: AtomicBool::new(false),
            bells: std::array::from_fn(|_| watch::Sender::new(())),
            waiters: Mutex::default(),
        };
        Ok((bell, receiver))
    }

    pub(crate) fn is_listening(&self, topic: Topic) -> bool {
        self.listening.load(Ordering::Acquire) & topic.bit() != 0
    }

    pub(crate) fn is_listening_at_all(&self) -> bool {
        self.listening.load(Ordering::Acquire) != 0
    }

    /// Whether something was heard since this was last asked; rings at its own door, for the next time.
    pub(crate) fn is_alive(&self) -> bool {
        if !self.is_listening_at_all() {
            return true;
        }
        let alive = self.was_heard.swap(false, Ordering::AcqRel);
        self.send(self.port, 0, &[]);
        if self.told.swap(!alive, Ordering::AcqRel) == alive {
            let port = self.port;
            match alive {
                true => tracing::info!(port, "the doorbell is heard again"),
                false => {
                    tracing::warn!(
                        port,
                        "the doorbell on the loopback is not heard: all who wait look every second"
                    )
                }
            }
        }
        alive
    }

    /// Fires with every later ring of the topic.
    pub(crate) fn subscribe(&self, topic: Topic) -> watch::Receiver<()> {
        self.bells[topic.index()].subscribe()
    }

    /// Fires when the task ends. To be followed by one [`Doorbell::leave`].
    pub(crate) fn waiter(&self, id: TaskId) -> Arc<Notify> {
        let mut waiting = self.waiting();
        let (count, bell) = waiting.entry(id).or_default();
        *count += 1;
        bell.clone()
    }

    pub(crate) fn leave(&self, id: TaskId) {
        let mut waiting = self.waiting();
        if let Some((count, _)) = waiting.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&id);
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, (usize, Arc<Notify>)>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes in the file that this process waits for the topic, within the caller's transaction.
    pub(crate) fn listen(&self, topic: Topic, sql: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        self.register(self.listening.load(Ordering::Acquire) | topic.bit(), sql, now)
    }

    /// To be called after the commit of [`Doorbell::listen`].
    pub(crate) fn listens(&self, topic: Topic) {
        self.listening.fetch_or(topic.bit(), Ordering::AcqRel);
    }

    /// Says that this process lives, and forgets those that have not said so for long.
    pub(crate) fn renew(&self, sql: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        sql.prepare_cached("DELETE FROM listeners WHERE seen_at < ?1")?.execute([stale(now)])?;
        self.register(self.listening.load(Ordering::Acquire), sql, now)
    }

    fn register(&self, topics: u32, sql: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let upsert = "INSERT INTO listeners (port, topics, seen_at) VALUES (?1, ?2, ?3)
                      ON CONFLICT (port) DO UPDATE SET topics = topics | excluded.topics, seen_at =
                      excluded.seen_at";
        sql.prepare_cached(upsert)?.execute(params![self.port, topics, now]).map(drop)
    }

    pub(crate) fn close(&self, sql: &Connection) {
        if self.is_listening_at_all() {
            // Nothing is lost when it fails: the row grows stale.
            let _ = sql.execute("DELETE FROM listeners WHERE port = ?1", [self.port]);
        }
    }

    /// Wakes all listeners whom a committed transaction concerns. Reads the listeners after the commit: one
    /// that registers later looks later, and sees the change.
    pub(crate) fn ring(&self, rings: &Rings, sql: &Connection) {
        if rings.topics == 0 {
            return;
        }
        self.wake(rings.topics, &rings.finished);
        if let Err(error) = self.ring_others(rings, sql) {
            tracing::warn!(%error, "other processes learn of new work only when they look by themselves");
        }
    }

    fn ring_others(&self, rings: &Rings, sql: &Connection) -> rusqlite::Result<()> {
        let query = "SELECT port, topics FROM listeners WHERE topics & ?1 AND port != ?2 AND seen_at >= ?3";
        let mut query = sql.prepare_cached(query)?;
        let mut listeners = query.query(params![rings.topics, self.port, stale(Timestamp::now())])?;
        while let Some(row) = listeners.next()? {
            let (port, topics): (u16, u32) = (row.get(0)?, row.get(1)?);
            let finished: &[TaskId] = if topics & Topic::Finished.bit() == 0 { &[] } else { &rings.finished };
            self.send(port, rings.topics & topics, finished);
        }
        Ok(())
    }

    fn send(&self, port: u16, topics: u32, mut finished: &[TaskId]) {
        loop {
            let (ids, rest) = finished.split_at(finished.len().min(IDS));
            let mut datagram = [MAGIC, &topics.to_le_bytes()].concat();
            ids.iter().for_each(|id| datagram.extend(id.as_bytes()));
            // A lost one costs its receiver a few seconds.
            let _ = self.sender.send_to(&datagram, (Ipv4Addr::LOCALHOST, port));
            finished = rest;
            if finished.is_empty() {
                return;
            }
        }
    }

    /// Takes a datagram from another process.
    pub(crate) fn heard(&self, datagram: &[u8]) {
        let Some((topics, ids)) = datagram.strip_prefix(MAGIC).and_then(<[u8]>::split_first_chunk::<4>)
        else {
            return;
        };
        self.was_heard.store(true, Ordering::Release);
        let finished: Vec<_> = ids.as_chunks::<16>().0.iter().map(|id| TaskId::from_bytes(*id)).collect();
        self.wake(u32::from_le_bytes(*topics), &finished);
    }

    fn wake(&self, topics: u32, finished: &[TaskId]) {
        for (index, bell) in self.bells.iter().enumerate() {
            if topics & (1 << index) != 0 {
                bell.send_replace(());
            }
        }
        if !finished.is_empty() {
            let waiting = self.waiting();
            finished.iter().filter_map(|id| waiting.get(id)).for_each(|(_, bell)| bell.notify_waiters());
        }
    }

    /// Makes all waiters look again, in case a datagram was lost.
    pub(crate) fn wake_all(&self) {
        self.wake(u32::MAX, &[]);
        self.waiting().values().for_each(|(_, bell)| bell.notify_waiters());
    }
}

fn stale(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(STALE.as_millis() as u64))
}
