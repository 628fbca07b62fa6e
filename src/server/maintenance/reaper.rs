use std::time::Duration;

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::silence::{HeartbeatWatch, Silence};
use clawpool_backends::{
    path::Reclaim,
    store::{PoolStore, StoreError, takes_writes},
};
use clawpool_core::task::ProcessId;

/// How often the leader looks for workers that have fallen silent.
const ROUND: Duration = Duration::from_millis(500);

/// And at most, while one is silent.
const QUICK: Duration = Duration::from_millis(50);

/// A silent worker stays listed this long: should it resume, take a message and die before its next
/// heartbeat, that message goes back too.
const LISTED: Duration = Duration::from_secs(30);

/// Returns the tasks of dead workers to their queues, until `stop`. For the leader alone. `heartbeat`: how
/// often workers beat.
///
/// Silence is judged by this process's own monotonic clock and only over a time in which the store answered
/// and took writes throughout: an outage of the store, a full one, or a step of a clock, makes no worker look
/// dead.
pub(crate) async fn reap(
    store: &dyn PoolStore,
    path: &dyn Reclaim,
    heartbeat: Duration,
    stop: &CancellationToken,
) {
    let mut watch = HeartbeatWatch::new(heartbeat);
    let mut wait = ROUND;
    while stop.run_until_cancelled(time::sleep(wait)).await.is_some() {
        match look(store, &mut watch).await {
            Ok(dead) => {
                for silence in dead {
                    give_back(store, path, silence).await;
                }
            }
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "workers cannot be watched");
                watch.interrupt();
            }
        }
        let until = |look: Instant| look.saturating_duration_since(Instant::now()).clamp(QUICK, ROUND);
        wait = watch.next_look().map_or(ROUND, until);
    }
}

/// Who is dead.
async fn look(store: &dyn PoolStore, watch: &mut HeartbeatWatch) -> Result<Vec<Silence>, StoreError> {
    let workers = store.workers().await?;
    let now = Instant::now();
    watch.hear(&workers, now);
    if let Some(lease) = watch.doubted(now)
        && !takes_writes(store, "steward", lease).await
    {
        watch.interrupt();
        return Ok(Vec::new());
    }
    let unsure = watch.unsure(now);
    if !unsure.is_empty() {
        see(store, watch, &unsure).await;
    }
    Ok(watch.dead(now))
}

async fn see(store: &dyn PoolStore, watch: &mut HeartbeatWatch, unsure: &[ProcessId]) {
    match store.connected(unsure).await {
        Ok(connected) => watch.saw(unsure, connected.as_deref(), Instant::now()),
        Err(error) => tracing::debug!(%error, "connections of workers cannot be seen"),
    }
}

async fn give_back(store: &dyn PoolStore, path: &dyn Reclaim, silence: Silence) {
    let worker = silence.worker;
    if silence.alive
        && let Err(error) = store.end_lease(worker, None).await
    {
        tracing::warn!(code = error.code(), %error, %worker, "the lease of a dead worker could not be ended \
            yet");
        return;
    }
    match path.reclaim(worker).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use clawpool_backends::{
        path::PathError,
        store::testing::{Call, TestStore, worker_info},
    };

    const BEAT: Duration = Duration::from_millis(500);

    /// Tells of each worker whose tasks are given back.
    struct TestPath(mpsc::UnboundedSender<Call>);

    #[async_trait::async_trait]
    impl Reclaim for TestPath {
        async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError> {
            self.0.send(("reclaim", worker)).unwrap();
            Ok(0)
        }
    }

    /// A worker that beats and is connected until this moment, with what it answers from then on: when what
    /// was done for it.
    struct Scene {
        store: Arc<TestStore>,
        worker: ProcessId,
        calls: mpsc::UnboundedReceiver<Call>,
        since: Instant,
        _reaper: tokio_util::task::AbortOnDropHandle<()>,
    }

    async fn scene(connected: bool) -> Scene {
        let (send, calls) = mpsc::unbounded_channel();
        let store = Arc::new(TestStore::telling(send.clone()));
        let worker = ProcessId::new();
        store.state().connected = Some(if connected { vec![worker] } else { Vec::new() });
        let reaped = Arc::clone(&store);
        let reaper = async move { reap(&*reaped, &TestPath(send), BEAT, &CancellationToken::new()).await };
        let reaper = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(reaper));
        for beats in 1..20 {
            beat(&store, worker, beats);
            time::sleep(BEAT).await;
        }
        Scene { store, worker, calls, since: Instant::now(), _reaper: reaper }
    }

    fn beat(store: &TestStore, worker: ProcessId, beats: u64) {
        store.state().workers.insert(worker, worker_info("test", worker, beats));
    }

    impl Scene {
        /// After how long its lease was ended.
        async fn ended(&mut self) -> Duration {
            assert_eq!(self.calls.recv().await, Some(("end_lease", self.worker)));
            let ended = self.since.elapsed();
            assert_eq!(self.calls.recv().await, Some(("reclaim", self.worker)));
            ended
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_process_loses_its_tasks_long_before_its_lease_is_over() {
        let mut scene = scene(true).await;
        assert_eq!(scene.store.state().looks, 1, "while all beat");
        scene.store.state().connected = Some(Vec::new());
        let ended = scene.ended().await;
        assert!((BEAT..BEAT * 3).contains(&ended), "{ended:?}");
        assert_eq!(scene.store.state().looks, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stands_still_loses_its_tasks_after_its_lease() {
        let mut scene = scene(true).await;
        let ended = scene.ended().await;
        assert!((BEAT * 5..BEAT * 8).contains(&ended), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_whose_connection_was_never_seen_loses_its_tasks_after_its_lease() {
        let mut scene = scene(false).await;
        let ended = scene.ended().await;
        assert!((BEAT * 5..BEAT * 8).contains(&ended), "{ended:?}");
        assert_eq!(scene.store.state().looks, 1, "nobody looks again and again for what is not shown");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_takes_no_writes_makes_no_worker_look_dead() {
        let mut scene = scene(true).await;
        scene.store.state().connected = Some(Vec::new());
        scene.store.state().full = true;
        time::sleep(BEAT * 100).await;
        assert!(scene.calls.try_recv().is_err());
        assert!(scene.store.state().refused_notes > 0, "it was doubted");
        scene.store.state().full = false;
        scene.since = Instant::now();
        let ended = scene.ended().await;
        assert!((BEAT..BEAT * 5).contains(&ended), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_absent_store_makes_no_worker_look_dead() {
        let mut scene = scene(true).await;
        scene.store.state().away = true;
        time::sleep(BEAT * 100).await;
        scene.store.state().connected = Some(Vec::new());
        scene.store.state().away = false;
        time::sleep(BEAT).await;
        assert!(scene.calls.try_recv().is_err());
        beat(&scene.store, scene.worker, 20);
        time::sleep(BEAT).await;
        assert!(scene.calls.try_recv().is_err());
    }
}
