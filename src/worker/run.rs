use tokio::sync::mpsc;

use super::{
    Registry, WorkerError,
    engine::{Engine, Event, alarm},
    lease::LeaseKeeper,
    parts::Parts,
    stop::Phase,
};
use crate::{
    config::Config,
    supervise::{Shutdown, work_begins},
    task::WorkerId,
};

/// Runs one worker until it is told to stop, or a handler hangs.
pub(super) async fn run(
    config: Config,
    registry: Registry,
    id: WorkerId,
    pool: String,
    shutdown: Shutdown,
) -> Result<(), WorkerError> {
    let mut parts = Parts::assemble(&config, registry, id, pool, &shutdown.drain).await?;
    tracing::info!(%id, slots = config.worker.slots, "the worker is ready");
    work_begins();
    work(&mut parts.engine, &mut parts.events, &mut parts.lease, &shutdown).await;
    let hung = parts.dismantle(&shutdown).await;
    tracing::info!(%id, "the worker has left");
    if hung { Err(WorkerError::Hung) } else { Ok(()) }
}

async fn work(engine: &mut Engine, events: &mut mpsc::Receiver<Event>, lease: &mut LeaseKeeper, shutdown: &Shutdown) {
    let mut batch = Vec::new();
    while !engine.is_done() {
        engine.dispatch();
        let (alarm_at, phase) = (engine.next_alarm(), engine.phase);
        tokio::select! {
            _ = events.recv_many(&mut batch, 256) => batch.drain(..).for_each(|event| engine.on_event(event)),
            orders = lease.orders.recv() => match orders {
                Some(orders) => engine.on_orders(orders),
                None => engine.drain(),
            },
            () = alarm(alarm_at) => engine.on_time(),
            () = shutdown.drain.cancelled(), if phase == Phase::Working => engine.drain(),
            () = shutdown.now.cancelled(), if matches!(phase, Phase::Finishing { .. }) => engine.tell_to_leave(),
        }
    }
}
