//! Making and removing queues at run time.
//!
//! Guarantees: a queue that has unfinished tasks is not removed, whatever is asked for. Never does: drop a
//! task, or touch a queue of the configuration.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Api,
    audit::Trail,
    body::Unread,
    error::ApiError,
    moving,
    query::{Name, Params},
};
use clawpool_core::task::{Lane, Priority, Queue};
use clawpool_engine::client::view::{QueueView, RemovedQueueView};

/// A queue to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewQueue {
    /// Letters, digits and `. _ -`; 64 bytes at most.
    name: String,
    /// Of all its tasks.
    priority: Priority,
    /// What carries it; that of the priority by default.
    lane: Option<Lane>,
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    trail: Trail,
    body: Unread,
) -> Result<(StatusCode, Json<QueueView>), ApiError> {
    let new: NewQueue = body.read(&api).await?.decode(&api.config().limits)?;
    let lane = new.lane.unwrap_or_else(|| Lane::of(new.priority));
    trail.about(&new.name);
    trail.tell(json!({ "priority": new.priority, "lane": lane }));
    let queue = Queue::new(&new.name, new.priority, lane)
        .map_err(|error| ApiError::field("name", error.to_string()))?;
    // Every worker begins with the queue as soon as it is known. RabbitMQ 3 ends a connection that
    // consumes a queue which it has only begun to make.
    api.broker.depth(queue).await?;
    if let Err(other) = api.producer.queues().add(queue).await? {
        let message = format!(
            "the queue {other} is there with other settings ({}, lane {}): remove it first, or choose \
             another name",
            other.priority(),
            other.lane()
        );
        return Err(ApiError::new(StatusCode::CONFLICT, "CP-1411", message));
    }
    let view = super::queues::one(&api, queue).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// With `drain` the queue takes no new tasks from now on, and is removed by the call that finds it empty.
/// `move_to` does the same, and moves what waits to another queue, some at each call.
pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    trail: Trail,
    name: Name,
    mut params: Params,
) -> Result<(StatusCode, Json<RemovedQueueView>), ApiError> {
    let move_to = params.text("move_to");
    let drain = params.value("drain")?.unwrap_or(false) || move_to.is_some();
    params.done()?;
    trail.tell(json!({ "drain": drain, "move_to": move_to }));
    let queue = registered(&api, &name).await?;
    let is_known = is_closing(&api, queue).await?;
    let move_to = match move_to {
        Some(name) => Some(super::queues::named(&api, &name).await?),
        None => None,
    };
    if drain {
        api.producer.queues().close(queue).await?;
    }
    if let Some(other) = move_to.filter(|other| *other != queue) {
        moving::some(&*api.broker, &*api.store, queue, other).await?;
    }
    let unfinished = unfinished(&api, queue).await?;
    if unfinished == 0 {
        api.producer.queues().remove(queue).await?;
        return Ok((StatusCode::OK, Json(RemovedQueueView { queue, removed: true, unfinished })));
    }
    if drain {
        if is_known {
            trail.leave_out();
        }
        return Ok((StatusCode::ACCEPTED, Json(RemovedQueueView { queue, removed: false, unfinished })));
    }
    let message = format!(
        "the queue {queue} has {unfinished} unfinished tasks, waiting, scheduled or running: use --drain \
         (drain=true), which takes no new ones and removes it when these are done, or --move-to QUEUE \
         (move_to=QUEUE)"
    );
    Err(ApiError::new(StatusCode::CONFLICT, "CP-1412", message))
}

/// The queue with this name, which was made at run time.
async fn registered(api: &Api, name: &Name) -> Result<Queue, ApiError> {
    let name: String = name.parse("queue")?;
    if api.producer.queues().configured().iter().any(|queue| queue.name() == name) {
        let message = format!("the queue {name} is one of the configuration's: take it out of [[queues]]");
        return Err(ApiError::new(StatusCode::CONFLICT, "CP-1412", message));
    }
    super::queues::named(api, &name).await
}

/// It was asked for before: who waits for the end asks again and again.
async fn is_closing(api: &Api, queue: Queue) -> Result<bool, ApiError> {
    let registered = api.producer.queues().registered().await?;
    Ok(registered.iter().any(|own| own.queue == queue && own.is_closing))
}

/// Tasks that were enqueued there and have not ended, wherever they are now. One that died and was requeued
/// has ended once by then, so what waits is counted as well.
async fn unfinished(api: &Api, queue: Queue) -> Result<u64, ApiError> {
    let totals = api.store.totals().await?;
    let Some(totals) = totals.get(&queue) else { return Ok(0) };
    Ok(totals.unfinished().max(api.broker.depth(queue).await?.ready))
}
