use super::{Registry, WorkerError, engine::alarm, identity::Identity, parts::Parts, stop::Phase};
use crate::process::{Shutdown, notify_ready};
use clawpool_core::config::Config;

/// Runs one worker until it is told to stop, or a handler hangs.
pub(super) async fn run(
    config: Config,
    registry: Registry,
    who: Identity,
    shutdown: Shutdown,
) -> Result<(), WorkerError> {
    let id = who.id;
    let mut parts = Parts::assemble(&config, registry, who, &shutdown.drain).await?;
    tracing::info!(%id, slots = config.worker.slots, "the worker is ready");
    notify_ready();
    work(&mut parts, &shutdown).await;
    let failed = parts.dismantle(&shutdown).await;
    tracing::info!(%id, "the worker has left");
    failed.map_or(Ok(()), Err)
}

async fn work(parts: &mut Parts, shutdown: &Shutdown) {
    let Parts { engine, events, heartbeat, broken, .. } = parts;
    let mut batch = Vec::new();
    let mut leased = true;
    while !engine.is_done() {
        engine.dispatch();
        let alarm_at = engine.next_alarm();
        let phase = engine.phase;
        tokio::select! {
            _ = events.recv_many(&mut batch, 256) => batch.drain(..).for_each(|event| engine.on_event(event)),
            orders = heartbeat.orders.recv(), if leased => match orders {
                Some(orders) => engine.on_orders(orders),
                None => {
                    leased = false;
                    engine.fail(WorkerError::LeaseLost);
                }
            },
            () = broken.cancelled(), if phase == Phase::Working => engine.fail(WorkerError::Broken),
            () = alarm(alarm_at) => engine.on_time(),
            () = shutdown.drain.cancelled(), if phase == Phase::Working => engine.drain(),
            () = shutdown.now.cancelled(), if matches!(phase, Phase::Finishing { .. }) =>
            engine.tell_to_leave(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A worker on a file of its own.
    async fn parts(folder: &tempfile::TempDir, shutdown: &Shutdown) -> Parts {
        let mut config = Config::default();
        config.embedded.data = folder.path().to_owned();
        let id = clawpool_core::task::ProcessId::new();
        let who = Identity::of_test(id);
        Parts::assemble(&config, Registry::default(), who, &shutdown.drain).await.unwrap()
    }

    async fn leaves(mut parts: Parts, shutdown: &Shutdown) -> Option<WorkerError> {
        let left = async {
            work(&mut parts, shutdown).await;
            parts.dismantle(shutdown).await
        };
        tokio::time::timeout(Duration::from_secs(60), left).await.expect("the worker leaves")
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_is_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = Shutdown::new();
        let parts = parts(&folder, &shutdown).await;
        shutdown.drain.cancel();
        assert!(leaves(parts, &shutdown).await.is_none());
    }

    #[tokio::test]
    async fn a_worker_whose_heartbeat_thread_ends_does_not_end_well() {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = Shutdown::new();
        let mut parts = parts(&folder, &shutdown).await;
        parts.heartbeat.orders.close();
        assert!(matches!(leaves(parts, &shutdown).await, Some(WorkerError::LeaseLost)));
    }

    #[tokio::test]
    async fn a_worker_that_loses_another_part_does_not_end_well() {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = Shutdown::new();
        let mut parts = parts(&folder, &shutdown).await;
        parts.lose_a_puller();
        assert!(matches!(leaves(parts, &shutdown).await, Some(WorkerError::Broken)));
    }
}
