use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{Api, auth::Caller, error::ApiError, query::Name};
use clawpool_backends::{
    broker::{BrokerError, Depth},
    store::{QueueTotals, Served, WorkerInfo},
};
use clawpool_core::{
    config::Scope,
    task::{ProcessId, Queue, Timestamp},
};
use clawpool_engine::client::view::{QueueView, QueuesView};

/// While a pause waits for its workers.
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<QueuesView>, ApiError> {
    caller.needs(&[Scope::Read])?;
    Ok(Json(QueuesView { items: all(&api).await? }))
}

/// Every queue as it is now. A broker that does not answer takes only its own figures away.
pub(super) async fn all(api: &Api) -> Result<Vec<QueueView>, ApiError> {
    let depths = join_all(Queue::ALL.map(|queue| api.broker.depth(queue)));
    let (depths, totals, paused, workers) =
        tokio::join!(depths, api.store.totals(), api.store.paused(), api.store.workers());
    let totals = totals?;
    let paused = paused?;
    let workers = workers?;
    let served = Served::by(&workers);
    let views = Queue::ALL.into_iter().zip(depths).map(|(queue, depth)| QueueView {
        in_flight: in_flight(&workers, queue),
        workers: served.workers(queue),
        unhandled: served.unhandled(queue).map(str::to_owned).collect(),
        limit: api.config.queues.get(queue),
        paused: paused.contains(&queue),
        totals: totals.get(queue.index()).copied().unwrap_or_default(),
        ..view(queue, depth)
    });
    Ok(views.collect())
}

fn view(queue: Queue, depth: Result<Depth, BrokerError>) -> QueueView {
    let error = depth.as_ref().err().map(ToString::to_string);
    let depth = depth.ok();
    let oldest = depth.and_then(|depth| depth.oldest).map(|oldest| Timestamp::now().since(oldest));
    QueueView {
        queue,
        ready: depth.map(|depth| depth.ready),
        oldest_age_ms: oldest.map(|age| age.as_millis().try_into().unwrap_or(u64::MAX)),
        in_flight: 0,
        limit: 0,
        paused: false,
        workers: 0,
        unhandled: Vec::new(),
        totals: QueueTotals::default(),
        error,
        unconfirmed: Vec::new(),
    }
}

fn in_flight(workers: &[WorkerInfo], queue: Queue) -> u64 {
    let beats = workers.iter().filter(|worker| worker.alive).map(|worker| &worker.beat);
    let running = beats.flat_map(|beat| beat.queues.iter().zip(&beat.running));
    running.filter(|(served, _)| **served == queue).map(|(_, running)| u64::from(*running)).sum()
}

pub(super) async fn pause(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Name,
) -> Result<Json<QueueView>, ApiError> {
    set_paused(&api, &caller, &name, true).await
}

pub(super) async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Name,
) -> Result<Json<QueueView>, ApiError> {
    set_paused(&api, &caller, &name, false).await
}

async fn set_paused(
    api: &Api,
    caller: &Caller,
    name: &Name,
    paused: bool,
) -> Result<Json<QueueView>, ApiError> {
    caller.needs(&[Scope::Admin])?;
    let queue = name.parse("queue")?;
    api.store.set_paused(queue, paused).await?;
    let unconfirmed = if paused { unconfirmed(api, queue).await? } else { Vec::new() };
    let view = all(api).await?.into_iter().find(|view| view.queue == queue);
    let view = view.map(|view| QueueView { unconfirmed, ..view });
    view.map(Json).ok_or_else(|| ApiError::internal("a queue is missing from the listing"))
}

/// Returns when every worker that lives has said that it starts nothing more of the queue, or has had the
/// time to. Those that have not said so then.
async fn unconfirmed(api: &Api, queue: Queue) -> Result<Vec<ProcessId>, ApiError> {
    let patience = Instant::now() + api.config.worker.lease;
    loop {
        let workers = api.store.workers().await?;
        let open = workers.into_iter().filter(|worker| worker.alive && !worker.beat.obeys_pause_of(queue));
        let open: Vec<ProcessId> = open.map(|worker| worker.beat.worker).collect();
        if open.is_empty() || Instant::now() >= patience {
            return Ok(open);
        }
        sleep(LOOK).await;
    }
}
