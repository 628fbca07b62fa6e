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
    query::{Name, Params},
    queues,
};
use clawpool_backends::{
    broker::Found,
    path::find,
    store::{Cancelled, Page, Record, RecordFilter, StoreError},
};
use clawpool_core::task::{State as TaskState, TaskId};
use clawpool_engine::client::view::CancelView;

/// A page for some queues may have fewer entries than asked for and still go on.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<Record>>, ApiError> {
    let filter = RecordFilter {
        states: params.values("state")?,
        kind: params.value("kind")?,
        priority: params.value("priority")?,
        queue: match params.text("queue") {
            Some(name) => Some(queues::named(&api, &name).await?),
            None => None,
        },
        tenant: caller.tenant(params.text("tenant"))?,
        since: params.time("since")?,
        until: params.time("until")?,
    };
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let mut page = api.store.records(&filter, cursor.as_deref(), limit).await?;
    page.items.retain(|record| caller.reaches(record.queue));
    Ok(Json(page))
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
    let id = name.parse("id")?;
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
pub(super) async fn run(State(api): State<Arc<Api>>, name: Name) -> Result<Json<Record>, ApiError> {
    let id = name.parse("id")?;
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
