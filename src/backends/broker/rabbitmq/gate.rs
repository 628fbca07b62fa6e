use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    BrokerError, Topology,
    connect::{patient, unavailable},
    link::{Link, Session},
    topology,
};
use clawpool_core::{
    config::QueueLimits,
    task::{Message, Queue},
};

/// Holds publishers to the queues' limits, and sees to it that the queues are there.
///
/// The limit is kept on this side: as an argument of the queue it could not be changed without deleting the queue. The
/// gate asks the server how full a queue is, spends the difference, and asks again when it is spent or old. One
/// dispatcher is exact; several may pass a limit by what each was granted within `TRUST`.
pub(super) struct Gate {
    link: Link,
    topology: Topology,
    limits: QueueLimits,
    rooms: [Room; Queue::ALL.len()],
}

#[derive(Default)]
struct Room {
    grant: Mutex<Grant>,
    /// Let in and not answered yet, so perhaps not among the server's count.
    in_flight: Arc<AtomicU64>,
}

#[derive(Default)]
struct Grant {
    /// On another connection the queue may be gone, with its server's disk.
    session: u64,
    left: u64,
    until: Option<Instant>,
    closed: Option<Instant>,
}

/// The right to publish one message; given back when its answer is known.
pub(super) struct Pass(Arc<AtomicU64>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    const TRUST: Duration = Duration::from_secs(5);

    pub(super) fn new(link: Link, topology: Topology, limits: QueueLimits) -> Self {
        Self { link, topology, limits, rooms: Default::default() }
    }

    /// One answer for each message, in order: as many of a queue's first ones as it has room for.
    pub(super) async fn admit(&self, messages: &[Message]) -> Vec<Result<Pass, BrokerError>> {
        let mut wanted = [0; Queue::ALL.len()];
        for message in messages {
            wanted[message.priority.queue().index()] += 1;
        }
        let mut granted = [const { Ok(0) }; Queue::ALL.len()];
        for queue in Queue::ALL.into_iter().filter(|queue| wanted[queue.index()] > 0) {
            granted[queue.index()] = self.grant(queue, wanted[queue.index()]).await;
        }
        messages.iter().map(|message| self.pass(message.priority.queue(), &mut granted)).collect()
    }

    fn pass(&self, queue: Queue, granted: &mut [Result<u64, BrokerError>]) -> Result<Pass, BrokerError> {
        match &mut granted[queue.index()] {
            Ok(0) => Err(BrokerError::Full { queue, limit: self.limits.get(queue) }),
            Ok(left) => {
                *left -= 1;
                Ok(Pass(self.rooms[queue.index()].in_flight.clone()))
            }
            Err(error) => Err(error.clone()),
        }
    }

    /// The queue was deleted: declare it again, but not at once.
    pub(super) fn forget(&self, queue: Queue) {
        let mut grant = self.rooms[queue.index()].lock();
        grant.until = None;
        grant.closed = Some(Instant::now() + topology::MOURNING);
    }

    /// How many of `want` messages may be published. They count as in flight from here on.
    async fn grant(&self, queue: Queue, want: u64) -> Result<u64, BrokerError> {
        let session = self.link.session()?;
        let room = &self.rooms[queue.index()];
        if let Some(granted) = room.take(session.number, want) {
            return Ok(granted);
        }
        if room.lock().closed.is_some_and(|until| Instant::now() < until) {
            return Err(unavailable(topology::deleted(&self.topology.queue_name(queue))));
        }
        let ready = self.ready(&session, queue).await?;
        Ok(room.renew(session.number, self.limits.get(queue), ready, want))
    }

    async fn ready(&self, session: &Session, queue: Queue) -> Result<u64, BrokerError> {
        let spec = self.topology.queue(queue);
        let declare = async { spec.declare(&session.channel().await?).await };
        let ready = patient("the declaration of a queue", declare).await;
        ready.map(u64::from).inspect_err(|_| self.link.doubt())
    }
}

impl Room {
    fn lock(&self) -> std::sync::MutexGuard<'_, Grant> {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, session: u64, want: u64) -> Option<u64> {
        let mut grant = self.lock();
        let fresh = grant.until.is_some_and(|until| Instant::now() < until);
        if !fresh || grant.session != session || grant.left < want {
            return None;
        }
        grant.left -= want;
        self.in_flight.fetch_add(want, Ordering::Relaxed);
        Some(want)
    }

    fn renew(&self, session: u64, limit: u64, ready: u64, want: u64) -> u64 {
        let mut grant = self.lock();
        let free = limit.saturating_sub(ready).saturating_sub(self.in_flight.load(Ordering::Relaxed));
        let granted = want.min(free);
        *grant = Grant { session, left: free - granted, until: Some(Instant::now() + Gate::TRUST), closed: None };
        self.in_flight.fetch_add(granted, Ordering::Relaxed);
        granted
    }
}
