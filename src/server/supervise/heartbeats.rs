//! Snapshots of the registry, and which workers have fallen silent. Silence is measured by the supervisor's
//! own snapshots and its own clock, never by comparing clocks, and only while the supervisor itself could
//! write.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, timeout},
};

use clawpool_backends::store::{PoolStore, WorkerInfo, takes_writes};
use clawpool_core::task::ProcessId;

/// One reading of the registry. `None` when the store did not answer or took no writes: then nothing is
/// known.
pub(super) type Snapshot = Option<Arc<HashMap<ProcessId, WorkerInfo>>>;

/// Snapshots in one lease.
const SNAPSHOTS: u32 = 4;

/// Reads the registry for as long as the returned future is polled.
pub(super) async fn watch_registry(
    store: &dyn PoolStore,
    pool: &str,
    lease: Duration,
    snapshots: &watch::Sender<Snapshot>,
    replicas: impl Fn() -> Vec<ProcessId>,
) -> Infallible {
    let mut ticks = tokio::time::interval((lease / SNAPSHOTS).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence = SilenceCheck { lease, heard: HashMap::new() };
    loop {
        ticks.tick().await;
        let workers = timeout(lease, store.workers()).await.ok().and_then(Result::ok);
        let snapshot: Option<HashMap<_, _>> =
            workers.map(|workers| workers.into_iter().map(|info| (info.beat.worker, info)).collect());
        // Who has not registered yet may have found nothing to write to.
        let doubted = snapshot.as_ref().is_some_and(|snapshot| {
            silence.is_suspected(pool, snapshot, Instant::now())
                || replicas().iter().any(|worker| !snapshot.contains_key(worker))
        });
        let sound = !doubted || takes_writes(store, pool, lease).await;
        snapshots.send_replace(snapshot.filter(|_| sound).map(Arc::new));
    }
}

/// Which workers have been silent for half a lease. Only for those is the store asked whether it takes
/// writes.
struct SilenceCheck {
    lease: Duration,
    /// Of each worker, its beats and when they last grew.
    heard: HashMap<ProcessId, (u64, Instant)>,
}

impl SilenceCheck {
    fn is_suspected(&mut self, pool: &str, snapshot: &HashMap<ProcessId, WorkerInfo>, now: Instant) -> bool {
        let ours = snapshot.values().filter(|info| info.beat.pool == pool);
        self.heard = ours
            .map(|info| {
                let before = self.heard.get(&info.beat.worker).filter(|(beats, _)| *beats == info.beats);
                (info.beat.worker, (info.beats, before.map_or(now, |(_, since)| *since)))
            })
            .collect();
        self.heard.values().any(|(_, since)| now.duration_since(*since) >= self.lease / 2)
    }
}

/// The heartbeats of one worker, as the snapshots show them.
#[derive(Debug)]
pub(super) struct HeartbeatMonitor {
    lease: Duration,
    beats: Option<u64>,
    last_snapshot: Option<Instant>,
    silent_since: Option<Instant>,
}

impl HeartbeatMonitor {
    /// Leases: a worker registers before it does anything else, but its program may take its time to start.
    const STARTUP_LEASES: u32 = 20;

    pub(super) const fn new(lease: Duration) -> Self {
        Self { lease, beats: None, last_snapshot: None, silent_since: None }
    }

    pub(super) const fn registered(&self) -> bool {
        self.beats.is_some()
    }

    /// Whether the worker hangs: a whole lease without a beat, in snapshots that came without a gap. A
    /// snapshot that failed or came late (the store is away, the machine is too busy for this process too)
    /// begins the silence anew.
    pub(super) fn hangs(&mut self, worker: ProcessId, snapshot: &Snapshot, now: Instant) -> bool {
        let late = self.last_snapshot.is_some_and(|last| now.duration_since(last) > self.lease * 3 / 4);
        self.last_snapshot = Some(now);
        let Some(snapshot) = snapshot else {
            self.silent_since = None;
            return false;
        };
        let beats = snapshot.get(&worker).map(|info| info.beats);
        let is_news = beats.is_some() && beats != self.beats;
        self.beats = beats.or(self.beats);
        if is_news || late {
            self.silent_since = None;
        }
        let since = *self.silent_since.get_or_insert(now);
        let patience = if self.registered() { self.lease } else { self.lease * Self::STARTUP_LEASES };
        now.duration_since(since) >= patience
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use clawpool_backends::store::testing::worker_info;

    const LEASE: Duration = Duration::from_secs(3);
    const STEP: Duration = Duration::from_millis(750);

    fn snapshot(worker: ProcessId, beats: u64) -> Snapshot {
        Some(Arc::new([(worker, worker_info("test", worker, beats))].into()))
    }

    /// At which of the snapshots the worker is found hanging.
    fn found(snapshots: impl IntoIterator<Item = (Duration, Option<u64>)>) -> Option<usize> {
        let worker = ProcessId::new();
        let mut monitor = HeartbeatMonitor::new(LEASE);
        let mut now = Instant::now();
        snapshots.into_iter().position(|(after, beats)| {
            now += after;
            monitor.hangs(worker, &beats.and_then(|beats| snapshot(worker, beats)), now)
        })
    }

    #[test]
    fn one_lease_of_silence_means_hung() {
        assert_eq!(found([5; 10].map(|beats| (STEP, Some(beats)))), Some(4));
        assert_eq!(found((0..50).map(|beats| (STEP, Some(beats / 4)))), None);
    }

    #[test]
    fn an_absent_store_makes_no_worker_hang() {
        let flaky = (0..100).map(|n| (STEP, (n % 4 != 0).then_some(1)));
        assert_eq!(found(flaky), None);
    }

    #[test]
    fn an_observer_that_was_held_up_finds_no_worker_hanging() {
        assert_eq!(found([(STEP, Some(1)), (LEASE * 10, Some(1)), (LEASE * 10, Some(1))]), None);
    }

    #[test]
    fn a_worker_that_never_registers_hangs_too() {
        let empty = Some(Arc::default());
        let mut monitor = HeartbeatMonitor::new(LEASE);
        let start = Instant::now();
        let hung = (0..100).position(|n| monitor.hangs(ProcessId::new(), &empty, start + STEP * n));
        assert_eq!(hung, Some(80));
        assert!(!monitor.registered());
    }
}
