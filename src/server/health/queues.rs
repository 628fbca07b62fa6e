//! Looks at the queues every few seconds: how many tasks wait, and whether they are consumed.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::{
    stalled::{Consumption, QueueLook, Stalled},
    workload::Workload,
};
use clawpool_backends::{
    broker::{Broker, Depth},
    store::{Beat, QueueTotals, Store, StoreError, Totals, WorkerInfo},
};
use clawpool_core::{config::Config, task::Queue};

/// Between two looks, at most.
const PACE: Duration = Duration::from_secs(5);

pub(super) struct QueueWatch {
    config: Arc<Config>,
    consumption: Consumption,
    looked: Option<Instant>,
    /// Tasks that wait, on all queues together; none where somebody did not answer.
    pub(super) ready: Option<u64>,
    /// None where the store did not answer.
    pub(super) workload: Option<Workload>,
    pub(super) stalled: Vec<Stalled>,
}

impl QueueWatch {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            consumption: Consumption::default(),
            looked: None,
            ready: None,
            workload: None,
            stalled: Vec::new(),
        }
    }

    /// Looks, when it is time to.
    pub(super) async fn look(&mut self, store: &dyn Store, broker: &dyn Broker, patience: Duration) {
        let stalled = self.config.health.stalled;
        let pace = if stalled.is_zero() { PACE } else { PACE.min(stalled / 4) };
        if self.looked.is_some_and(|looked| looked.elapsed() < pace) {
            return;
        }
        let looks = timeout(patience, self.read(store, broker, patience / 2)).await;
        let now = Instant::now();
        self.looked = Some(now);
        let Ok(Ok((ready, workload, looks))) = looks else {
            self.consumption.interrupt();
            self.ready = None;
            self.workload = None;
            self.stalled.clear();
            return;
        };
        self.ready = ready;
        self.workload = Some(workload);
        let config = &self.config;
        self.stalled = self.consumption.look(&looks, now, |queue| limit(config, queue));
    }

    /// How many tasks wait, all that runs, and each queue; one whose broker does not answer is left out.
    async fn read(
        &self,
        store: &dyn Store,
        broker: &dyn Broker,
        patience: Duration,
    ) -> Result<(Option<u64>, Workload, Vec<QueueLook>), StoreError> {
        let (totals, paused, workers) = tokio::join!(store.totals(), store.paused(), store.workers());
        let (totals, paused, workers) = (totals?, paused?, workers?);
        let own = totals.keys().copied().filter(|queue| !queue.is_class());
        let queues: Vec<Queue> = Queue::CLASSES.into_iter().chain(own).collect();
        let depth = async |queue: &Queue| {
            // Any number of queues may be idle, and none of them costs its broker a question.
            let is_idle = totals.get(queue).is_none_or(|totals| totals.unfinished() == 0);
            if is_idle {
                Some(Depth::default())
            } else {
                timeout(patience, broker.depth(*queue)).await.ok()?.ok()
            }
        };
        let depths = join_all(queues.iter().map(depth)).await;
        let ready = depths.iter().map(|depth| depth.map(|depth| depth.ready)).sum();
        let living: Vec<&Beat> =
            workers.iter().filter(|info: &&WorkerInfo| info.alive).map(|info| &info.beat).collect();
        let looks = queues.into_iter().zip(depths).filter_map(|(queue, depth)| {
            let Depth { ready, oldest } = depth?;
            let has_room = |beat: &&Beat| self.has_room(beat, queue);
            Some(QueueLook {
                queue,
                ready,
                head: oldest,
                is_open: !paused.contains(&queue) && living.iter().any(has_room),
                running: living.iter().map(|beat| running(beat, |own| own == queue)).sum(),
                ended: ended(&totals, queue),
            })
        });
        Ok((ready, Workload::new(&totals, &living), looks.collect()))
    }

    /// Whether a worker has a slot that a task of this queue may use. Slots that are reserved for P0 and P1
    /// are not counted for others, also where the worker serves neither and keeps none.
    fn has_room(&self, beat: &Beat, queue: Queue) -> bool {
        if beat.obeys_pause_of(queue) || !beat.queues.contains(&queue) {
            return false;
        }
        let slots = u64::from(beat.slots);
        let pool = self.config.pools.iter().find(|pool| pool.name == beat.pool);
        let reserved = pool.and_then(|pool| pool.reserved).unwrap_or(self.config.worker.reserved);
        let others = slots.saturating_sub(reserved.into());
        let has_slot = running(beat, |_| true) < slots;
        has_slot && (queue.is_critical() || running(beat, |own| !own.is_critical()) < others)
    }
}

/// Tasks that a worker runs of the queues that are asked for.
fn running(beat: &Beat, of: impl Fn(Queue) -> bool) -> u64 {
    let tasks = beat.queues.iter().zip(&beat.running).filter(|(queue, _)| of(**queue));
    tasks.map(|(_, running)| u64::from(*running)).sum()
}

fn ended(totals: &Totals, queue: Queue) -> u64 {
    let QueueTotals { completed, retried, dead, cancelled, .. } =
        totals.get(&queue).copied().unwrap_or_default();
    completed + retried + dead + cancelled
}

/// For how long nothing may start. Where starts are paced, a few of them must have been due.
fn limit(config: &Config, queue: Queue) -> Option<Duration> {
    let stalled = config.health.stalled;
    let pace = config.pacing_of(queue).map_or(0.0, |pacing| 3.0 / pacing.per_second);
    let pace = Duration::try_from_secs_f64(pace).unwrap_or(Duration::MAX);
    (!stalled.is_zero()).then(|| stalled.max(pace))
}
