//! What the registry shows of the workers, and which of them have fallen silent: judged by the supervisor's own
//! observations and its own clock, never by comparing clocks, and only while the supervisor itself could write as well.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, timeout},
};

use clawpool_backends::store::{PoolStore, WorkerInfo, takes_writes};
use clawpool_core::task::WorkerId;

/// One look at the registry. `None` when the store did not answer or took no writes, which says nothing about any worker.
pub(super) type Look = Option<Arc<HashMap<WorkerId, WorkerInfo>>>;

/// Looks in one lease.
const LOOKS: u32 = 4;

/// Looks at the registry for as long as the returned future is polled.
pub(super) async fn observe(
    store: &dyn PoolStore,
    pool: &str,
    lease: Duration,
    looks: &watch::Sender<Look>,
    members: impl Fn() -> Vec<WorkerId>,
) -> Infallible {
    let mut ticks = tokio::time::interval((lease / LOOKS).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut doubts = Doubts { lease, heard: HashMap::new() };
    loop {
        ticks.tick().await;
        let workers = timeout(lease, store.workers()).await.ok().and_then(Result::ok);
        let look: Option<HashMap<_, _>> =
            workers.map(|workers| workers.into_iter().map(|info| (info.beat.worker, info)).collect());
        // Who has not registered yet may have found nothing to write to.
        let doubted = look.as_ref().is_some_and(|look| {
            doubts.arise(pool, look, Instant::now()) || members().iter().any(|worker| !look.contains_key(worker))
        });
        let sound = !doubted || takes_writes(store, pool, lease).await;
        looks.send_replace(look.filter(|_| sound).map(Arc::new));
    }
}

/// Which workers have been silent for half a lease: nobody else costs the store a write.
struct Doubts {
    lease: Duration,
    /// Of each worker, its beats and when they last grew.
    heard: HashMap<WorkerId, (u64, Instant)>,
}

impl Doubts {
    fn arise(&mut self, pool: &str, look: &HashMap<WorkerId, WorkerInfo>, now: Instant) -> bool {
        let ours = look.values().filter(|info| info.beat.pool == pool);
        self.heard = ours
            .map(|info| {
                let before = self.heard.get(&info.beat.worker).filter(|(beats, _)| *beats == info.beats);
                (info.beat.worker, (info.beats, before.map_or(now, |(_, since)| *since)))
            })
            .collect();
        self.heard.values().any(|(_, since)| now.duration_since(*since) >= self.lease / 2)
    }
}

/// What the looks say of one worker.
#[derive(Debug)]
pub(super) struct Pulse {
    lease: Duration,
    beats: Option<u64>,
    last_look: Option<Instant>,
    silent_since: Option<Instant>,
}

impl Pulse {
    /// Leases: a worker registers before it does anything else, but its program may take its time to start.
    const NEVER_BEAT: u32 = 20;

    pub(super) const fn new(lease: Duration) -> Self {
        Self { lease, beats: None, last_look: None, silent_since: None }
    }

    pub(super) const fn registered(&self) -> bool {
        self.beats.is_some()
    }

    /// Whether the worker hangs: a whole lease without a beat, seen in looks that came without a gap. A look that failed
    /// or came late (the store is away, the machine is too busy for us as well) begins the silence anew.
    pub(super) fn hangs(&mut self, worker: WorkerId, look: &Look, now: Instant) -> bool {
        let late = self.last_look.is_some_and(|last| now.duration_since(last) > self.lease * 3 / 4);
        self.last_look = Some(now);
        let Some(look) = look else {
            self.silent_since = None;
            return false;
        };
        let beats = look.get(&worker).map(|info| info.beats);
        let is_news = beats.is_some() && beats != self.beats;
        self.beats = beats.or(self.beats);
        if is_news || late {
            self.silent_since = None;
        }
        let since = *self.silent_since.get_or_insert(now);
        let patience = if self.registered() { self.lease } else { self.lease * Self::NEVER_BEAT };
        now.duration_since(since) >= patience
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::supervise::children::tests::info;

    const LEASE: Duration = Duration::from_secs(3);
    const STEP: Duration = Duration::from_millis(750);

    fn look(worker: WorkerId, beats: u64) -> Look {
        Some(Arc::new([(worker, info(worker, beats))].into()))
    }

    /// At which of the looks the worker is found hanging.
    fn found(looks: impl IntoIterator<Item = (Duration, Option<u64>)>) -> Option<usize> {
        let (worker, mut pulse, mut now) = (WorkerId::new(), Pulse::new(LEASE), Instant::now());
        looks.into_iter().position(|(after, beats)| {
            now += after;
            pulse.hangs(worker, &beats.and_then(|beats| look(worker, beats)), now)
        })
    }

    #[test]
    fn one_lease_of_silence_means_hung() {
        assert_eq!(found([5; 10].map(|beats| (STEP, Some(beats)))), Some(4));
        assert_eq!(found((0..50).map(|beats| (STEP, Some(beats / 4)))), None);
    }

    #[test]
    fn an_absent_store_accuses_nobody() {
        let flaky = (0..100).map(|n| (STEP, (n % 4 != 0).then_some(1)));
        assert_eq!(found(flaky), None);
    }

    #[test]
    fn an_observer_that_was_held_up_accuses_nobody() {
        assert_eq!(found([(STEP, Some(1)), (LEASE * 10, Some(1)), (LEASE * 10, Some(1))]), None);
    }

    #[test]
    fn a_worker_that_never_registers_hangs_too() {
        let nobody = Some(Arc::default());
        let (mut pulse, start) = (Pulse::new(LEASE), Instant::now());
        let hung = (0..100).position(|n| pulse.hangs(WorkerId::new(), &nobody, start + STEP * n));
        assert_eq!(hung, Some(80));
        assert!(!pulse.registered());
    }
}
