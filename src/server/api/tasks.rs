use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    Api,
    audit::Trail,
    caller::Caller,
    error::ApiError,
    named,
    query::{Name, Params},
    queues,
};
use clawpool_backends::{
    broker::Found,
    path::{Searched, find, search},
    store::{Cancelled, Record, RecordFilter, StoreError},
};
use clawpool_core::task::{State as TaskState, TaskId};
use clawpool_engine::client::{lists::TasksView, view::CancelView};

/// A page for some queues, or of what is looked for inside of tasks, may have fewer entries than asked for
/// and still go on.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<TasksView>, ApiError> {
    let filter = filter(&api, &caller, &mut params).await?;
    let inside = params.inside()?;
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let searched = search(&*api.store, &*api.broker, &filter, &inside, cursor.as_deref(), limit).await?;
    let Searched { found, hidden } = searched;
    let mut items: Vec<Record> = found.items.into_iter().map(|seen| seen.record).collect();
    items.retain(|record| caller.reaches(record.queue));
    let (looked_at, hidden) = (found.looked_at as u64, hidden as u64);
    Ok(Json(TasksView { items, next: found.next, looked_at, hidden }))
}

/// The conditions of a listing that records themselves tell.
pub(super) async fn filter(
    api: &Api,
    caller: &Caller,
    params: &mut Params,
) -> Result<RecordFilter, ApiError> {
    Ok(RecordFilter {
        states: params.values("state")?,
        kind: params.value("kind")?,
        priority: params.value("priority")?,
        queue: match params.text("queue") {
            Some(name) => Some(queues::named(api, &name).await?),
            None => None,
        },
        tenant: caller.tenant(params.text("tenant"))?,
        since: params.time("since")?,
        until: params.time("until")?,
    })
}

/// The task, if the caller may know of it: at once, or as [`wait`] does.
pub(super) async fn seen(
    api: &Api,
    caller: &Caller,
    id: TaskId,
    limit: Option<Duration>,
) -> Result<Option<Record>, StoreError> {
    let record = api.store.record(id).await?.filter(|record| caller.sees(record));
    match (record, limit) {
        (Some(record), Some(limit)) if !record.state.is_final() => wait(api, id, limit).await,
        (record, _) => Ok(record),
    }
}

/// The task when it is final, or as it stands after `limit` or when the server stops.
pub(super) async fn wait(api: &Api, id: TaskId, limit: Duration) -> Result<Option<Record>, StoreError> {
    tokio::select! {
        record = api.store.wait(id, limit) => record,
        () = api.closing.cancelled() => api.store.record(id).await,
    }
}

pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    name: Name,
) -> Result<Response, ApiError> {
    let id = named::task(&api, &caller, &name).await?;
    trail.about(&id.to_string());
    let record = seen(&api, &caller, id, None).await?.ok_or_else(|| unknown(id))?;
    if caller.has_enqueued(&record) {
        trail.leave_out();
    }
    let (status, state) = match api.store.cancel(id).await? {
        Cancelled::Done => (StatusCode::OK, TaskState::Cancelled),
        Cancelled::Signalled => (StatusCode::ACCEPTED, TaskState::Running),
        Cancelled::TooLate(state) => return Err(ApiError::conflict(format!("task {id} is {state} already"))),
        Cancelled::Unknown => return Err(unknown(id)),
    };
    let location = [(header::LOCATION, format!("/v1/tasks/{id}"))];
    Ok((status, location, Json(CancelView { id, state })).into_response())
}

/// Starts a scheduled task now, and puts one back that has fallen out of its queue.
pub(super) async fn run(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    name: Name,
) -> Result<Json<Record>, ApiError> {
    let id = named::task(&api, &caller, &name).await?;
    trail.about(&id.to_string());
    let found = api.store.run_now(id).await?;
    let record = api.store.record(id).await?.ok_or_else(|| unknown(id))?;
    if found {
        return Ok(Json(record));
    }
    let state = record.state;
    let why = match find(&*api.store, &*api.broker, &record).await? {
        Some(Found::Restored) => return Ok(Json(record)),
        Some(Found::Gone) => "its message is gone: enqueue it again with the same id".to_owned(),
        Some(Found::Unknown) => format!(
            "the broker cannot look for its message on queue {}: if that was purged, enqueue the task again \
            with the same id",
            record.queue
        ),
        Some(Found::There) => "its message waits on its queue: it starts when its turn comes".to_owned(),
        None => "only a scheduled task can be run early".to_owned(),
    };
    Err(ApiError::conflict(format!("task {id} is {state}: {why}")))
}

pub(super) fn unknown(id: TaskId) -> ApiError {
    ApiError::not_found(format!(
        "no task {id}: it never was here, it finished and has been forgotten, or another token enqueued it"
    ))
}
