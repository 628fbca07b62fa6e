use std::{collections::HashMap, time::Duration};

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::Broker,
    store::{Store, WorkerInfo, takes_writes},
};
use clawpool_core::task::ProcessId;

/// How often the leader looks for workers that have fallen silent.
const ROUND: Duration = Duration::from_millis(500);

/// A silent worker stays listed this long: should it resume, take a message and die before its next
/// heartbeat, that message goes back too.
const LISTED: Duration = Duration::from_secs(30);

/// Returns the tasks of dead workers to their queues, until `stop`. For the leader alone.
///
/// Silence is judged by this process's own monotonic clock and only over a time in which the store answered
/// and took writes throughout: an outage of the store, a full one, or a step of a clock, makes no worker look
/// dead.
pub(crate) async fn reap(store: &dyn Store, broker: &dyn Broker, stop: &CancellationToken) {
    let mut watch = HeartbeatWatch::default();
    while stop.run_until_cancelled(time::sleep(ROUND)).await.is_some() {
        match store.workers().await {
            Ok(workers) => {
                if let Some(lease) = watch.doubted(&workers, Instant::now())
                    && !takes_writes(store, "steward", lease).await
                {
                    watch = HeartbeatWatch::default();
                    continue;
                }
                for silence in watch.silent(&workers, Instant::now()) {
                    give_back(store, broker, silence).await;
                }
            }
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "workers cannot be watched");
                watch = HeartbeatWatch::default();
            }
        }
    }
}

async fn give_back(store: &dyn Store, broker: &dyn Broker, silence: Silence) {
    let worker = silence.worker;
    if silence.alive
        && let Err(error) = store.end_lease(worker, None).await
    {
        tracing::warn!(code = error.code(), %error, %worker, "the lease of a dead worker could not be ended \
            yet");
        return;
    }
    match broker.reclaim(worker).await {
        Ok(0) => {}
        Ok(tasks) => tracing::warn!(%worker, tasks, "a worker is dead; its tasks are back on their queues"),
        Err(error) => {
            tracing::warn!(code = error.code(), %error, %worker, "a dead worker's tasks could not be given \
                back yet");
            return;
        }
    }
    if silence.lasted >= LISTED
        && let Err(error) = store.forget(worker).await
    {
        tracing::warn!(code = error.code(), %error, %worker, "a dead worker stays listed for now");
    }
}

/// A worker without a beat for at least its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Silence {
    worker: ProcessId,
    lasted: Duration,
    /// The store still counts its lease as valid.
    alive: bool,
}

/// When each worker's count of heartbeats was last seen to change.
#[derive(Default)]
struct HeartbeatWatch(HashMap<ProcessId, (u64, Instant)>);

impl HeartbeatWatch {
    /// The shortest lease of those that have been silent for half of it.
    fn doubted(&self, workers: &[WorkerInfo], now: Instant) -> Option<Duration> {
        let silent = |info: &&WorkerInfo| {
            let before = self.0.get(&info.beat.worker);
            before.is_some_and(|(beats, since)| {
                *beats == info.beats && now.duration_since(*since) >= info.beat.lease / 2
            })
        };
        workers.iter().filter(silent).map(|info| info.beat.lease).min()
    }

    fn silent(&mut self, workers: &[WorkerInfo], now: Instant) -> Vec<Silence> {
        let mut seen = HashMap::with_capacity(workers.len());
        let mut silent = Vec::new();
        for info in workers {
            let worker = info.beat.worker;
            let since = match self.0.get(&worker) {
                Some((beats, since)) if *beats == info.beats => *since,
                _ => now,
            };
            let lasted = now.duration_since(since);
            if lasted >= info.beat.lease {
                silent.push(Silence { worker, lasted, alive: info.alive });
            }
            seen.insert(worker, (info.beats, since));
        }
        self.0 = seen;
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::conformance::beat_of;
    use clawpool_core::task::Timestamp;

    fn worker(id: ProcessId, beats: u64) -> WorkerInfo {
        let beat = beat_of(id, Duration::from_secs(3));
        WorkerInfo { beat, beats, last_beat: Timestamp::default(), alive: true }
    }

    #[test]
    fn a_worker_silent_for_half_a_lease_is_doubted() {
        let quiet = ProcessId::new();
        let start = Instant::now();
        let mut watch = HeartbeatWatch::default();
        let doubted = |watch: &HeartbeatWatch, beats, millis| {
            watch.doubted(&[worker(quiet, beats)], start + Duration::from_millis(millis))
        };
        assert_eq!(doubted(&watch, 7, 0), None);
        watch.silent(&[worker(quiet, 7)], start);
        assert_eq!(doubted(&watch, 7, 1_400), None);
        assert_eq!(doubted(&watch, 7, 1_500), Some(Duration::from_secs(3)));
        assert_eq!(doubted(&watch, 8, 1_500), None, "it has beaten");
    }

    #[test]
    fn only_a_whole_lease_of_observed_silence_is_death() {
        let quiet = ProcessId::new();
        let lively = ProcessId::new();
        let start = Instant::now();
        let mut watch = HeartbeatWatch::default();
        for tenth in 0..30 {
            let now = start + Duration::from_millis(tenth * 100);
            assert_eq!(watch.silent(&[worker(quiet, 7), worker(lively, tenth)], now), []);
        }
        let now = start + Duration::from_secs(3);
        let silence = Silence { worker: quiet, lasted: Duration::from_secs(3), alive: true };
        assert_eq!(watch.silent(&[worker(quiet, 7), worker(lively, 30)], now), [silence]);
        assert_eq!(
            HeartbeatWatch::default().silent(&[worker(quiet, 7)], now),
            [],
            "a new observer starts from nothing"
        );
    }
}
