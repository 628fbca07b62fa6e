use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{Api, caller::Caller, error::ApiError, query::Name};
use clawpool_backends::{
    broker::{BrokerError, Depth},
    store::{QueueTotals, Served, WorkerInfo},
};
use clawpool_core::task::{ProcessId, Queue, Timestamp};
use clawpool_engine::client::view::{QueueView, QueuesView};

/// While a pause waits for its workers.
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<QueuesView>, ApiError> {
    let mut items = all(&api).await?;
    items.retain(|view| caller.reaches(view.queue));
    Ok(Json(QueuesView { items }))
}

/// Every queue as it is now. A broker that does not answer takes only its own figures away.
pub(super) async fn all(api: &Api) -> Result<Vec<QueueView>, ApiError> {
    served_by(api, &api.store.workers().await?).await
}

/// The same, where these are the workers.
pub(super) async fn served_by(api: &Api, workers: &[WorkerInfo]) -> Result<Vec<QueueView>, ApiError> {
    let (totals, paused, registered) =
        tokio::join!(api.store.totals(), api.store.paused(), api.producer.queues().registered());
    let totals = totals?;
    let paused = paused?;
    let registered = registered?;
    let mut queues: Vec<Queue> = api.producer.queues().configured().to_vec();
    queues.extend(registered.iter().map(|own| own.queue));
    // Nobody has these any more, and tasks of theirs are about all the same.
    let left = totals.iter().filter(|(_, totals)| totals.unfinished() > 0);
    queues.extend(left.map(|(queue, _)| *queue));
    queues.sort_unstable();
    queues.dedup();
    // A queue of a user's own is empty until it is counted.
    let depth = async |queue: Queue| match queue.is_class() || totals.contains_key(&queue) {
        true => api.broker.depth(queue).await,
        false => Ok(Depth::default()),
    };
    let depths = join_all(queues.iter().map(|queue| depth(*queue))).await;
    let served = Served::by(workers);
    let limits = api.config().queue_limits();
    let is_closing = |queue| registered.iter().any(|own| own.queue == queue && own.is_closing);
    let views = queues.into_iter().zip(depths).map(|(queue, depth)| QueueView {
        in_flight: in_flight(workers, queue),
        workers: served.workers(queue),
        unhandled: served.unhandled(queue).map(str::to_owned).collect(),
        limit: limits.get(queue),
        paused: paused.contains(&queue),
        closing: is_closing(queue),
        totals: totals.get(&queue).copied().unwrap_or_default(),
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
        priority: queue.priority(),
        lane: queue.lane(),
        ready: depth.map(|depth| depth.ready),
        oldest_age_ms: oldest.map(|age| age.as_millis().try_into().unwrap_or(u64::MAX)),
        in_flight: 0,
        limit: 0,
        paused: false,
        closing: false,
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

pub(super) async fn pause(State(api): State<Arc<Api>>, name: Name) -> Result<Json<QueueView>, ApiError> {
    set_paused(&api, &name, true).await
}

pub(super) async fn resume(State(api): State<Arc<Api>>, name: Name) -> Result<Json<QueueView>, ApiError> {
    set_paused(&api, &name, false).await
}

async fn set_paused(api: &Api, name: &Name, paused: bool) -> Result<Json<QueueView>, ApiError> {
    let name: String = name.parse("queue")?;
    let queue = named(api, &name).await?;
    api.store.set_paused(queue, paused).await?;
    let unconfirmed = if paused { unconfirmed(api, queue).await? } else { Vec::new() };
    let view = one(api, queue).await?;
    Ok(Json(QueueView { unconfirmed, ..view }))
}

pub(super) async fn one(api: &Api, queue: Queue) -> Result<QueueView, ApiError> {
    let view = all(api).await?.into_iter().find(|view| view.queue == queue);
    view.ok_or_else(|| ApiError::internal("a queue is missing from the listing"))
}

/// The queue with this name.
pub(super) async fn named(api: &Api, name: &str) -> Result<Queue, ApiError> {
    if Queue::CLASSES.iter().all(|class| class.name() != name) {
        Queue::check_name(name).map_err(|error| ApiError::field("queue", error.to_string()))?;
    }
    let found = api.producer.queues().find(name).await?;
    found.ok_or_else(|| ApiError::not_found(format!("no queue is named {name:?}: see `clawpool queues`")))
}

/// Returns when every worker that lives has said that it starts nothing more of the queue, or has had the
/// time to. Those that have not said so then.
async fn unconfirmed(api: &Api, queue: Queue) -> Result<Vec<ProcessId>, ApiError> {
    let patience = Instant::now() + api.config().worker.lease;
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
