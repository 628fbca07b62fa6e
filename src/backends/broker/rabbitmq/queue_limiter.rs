use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    BrokerError, Topology,
    connect::{unavailable, with_timeout},
    recovering_connection::{OpenConnection, RecoveringConnection},
    topology,
};
use clawpool_core::{
    config::QueueLimits,
    task::{Message, Queue},
};

/// Holds publishers to the length limits of the queues, and declares the queues.
///
/// The limit is kept on this side: as an argument of the queue it could not be changed without deleting the
/// queue. The limiter asks the server how full a queue is, spends the difference, and asks again when it is
/// spent or old. One dispatcher is exact; several may exceed a limit by what each was granted within
/// `GRANT_LIFETIME`.
pub(super) struct QueueLimiter {
    connection: RecoveringConnection,
    topology: Topology,
    limits: QueueLimits,
    quotas: Mutex<HashMap<Queue, Arc<QueueQuota>>>,
}

#[derive(Default)]
struct QueueQuota {
    grant: Mutex<Grant>,
    /// Permits in use: messages that the server may not have counted yet.
    in_flight: Arc<AtomicU64>,
}

/// How many messages may be published before the server is asked again.
#[derive(Default)]
struct Grant {
    /// The number of the connection. On another one the queue may be gone, with its server's disk.
    connection: u64,
    /// Permits that are left.
    left: u64,
    valid_until: Option<Instant>,
    /// The queue was deleted: it is not declared again before this.
    redeclare_at: Option<Instant>,
}

/// The right to publish one message; given back when its answer is known.
pub(super) struct Permit(Arc<AtomicU64>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl QueueLimiter {
    const GRANT_LIFETIME: Duration = Duration::from_secs(5);

    pub(super) fn new(connection: RecoveringConnection, topology: Topology, limits: QueueLimits) -> Self {
        Self { connection, topology, limits, quotas: Default::default() }
    }

    /// One answer for each message, in order: the first messages of a queue get permits, as many as it has
    /// room for.
    pub(super) async fn acquire(&self, messages: &[Message]) -> Vec<Result<Permit, BrokerError>> {
        let mut wanted: BTreeMap<Queue, u64> = BTreeMap::new();
        for message in messages {
            *wanted.entry(message.queue).or_default() += 1;
        }
        let mut granted = HashMap::with_capacity(wanted.len());
        for (queue, want) in wanted {
            granted.insert(queue, self.grant(queue, want).await);
        }
        messages.iter().map(|message| self.permit(message.queue, &mut granted)).collect()
    }

    fn permit(
        &self,
        queue: Queue,
        granted: &mut HashMap<Queue, Result<u64, BrokerError>>,
    ) -> Result<Permit, BrokerError> {
        match granted.get_mut(&queue) {
            None | Some(Ok(0)) => Err(BrokerError::Full { queue, limit: self.limits.get(queue) }),
            Some(Ok(left)) => {
                *left -= 1;
                Ok(Permit(self.quota(queue).in_flight.clone()))
            }
            Some(Err(error)) => Err(error.clone()),
        }
    }

    fn quota(&self, queue: Queue) -> Arc<QueueQuota> {
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(quotas.entry(queue).or_default())
    }

    /// The queue was deleted: declare it again, but not at once.
    pub(super) fn queue_deleted(&self, queue: Queue) {
        let quota = self.quota(queue);
        let mut grant = quota.lock();
        grant.valid_until = None;
        grant.redeclare_at = Some(Instant::now() + topology::REDECLARE_DELAY);
    }

    /// How many of `want` messages may be published. They count as in flight from here on.
    async fn grant(&self, queue: Queue, want: u64) -> Result<u64, BrokerError> {
        let connection = self.connection.current()?;
        let quota = self.quota(queue);
        if let Some(granted) = quota.take(connection.number, want) {
            return Ok(granted);
        }
        if quota.lock().redeclare_at.is_some_and(|until| Instant::now() < until) {
            return Err(unavailable(topology::deleted(&self.topology.queue_name(queue))));
        }
        let ready = self.ready(&connection, queue).await?;
        Ok(quota.renew(connection.number, self.limits.get(queue), ready, want))
    }

    async fn ready(&self, connection: &OpenConnection, queue: Queue) -> Result<u64, BrokerError> {
        let spec = self.topology.queue(queue);
        let declare = async { spec.declare(&connection.channel().await?).await };
        let ready = with_timeout("the declaration of a queue", declare).await;
        ready.map(u64::from).inspect_err(|_| self.connection.recheck())
    }
}

impl QueueQuota {
    fn lock(&self) -> std::sync::MutexGuard<'_, Grant> {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, connection: u64, want: u64) -> Option<u64> {
        let mut grant = self.lock();
        let fresh = grant.valid_until.is_some_and(|until| Instant::now() < until);
        if !fresh || grant.connection != connection || grant.left < want {
            return None;
        }
        grant.left -= want;
        self.in_flight.fetch_add(want, Ordering::Relaxed);
        Some(want)
    }

    fn renew(&self, connection: u64, limit: u64, ready: u64, want: u64) -> u64 {
        let mut grant = self.lock();
        let free = limit.saturating_sub(ready).saturating_sub(self.in_flight.load(Ordering::Relaxed));
        let granted = want.min(free);
        *grant = Grant {
            connection,
            left: free - granted,
            valid_until: Some(Instant::now() + QueueLimiter::GRANT_LIFETIME),
            redeclare_at: None,
        };
        self.in_flight.fetch_add(granted, Ordering::Relaxed);
        granted
    }
}
