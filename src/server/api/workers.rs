use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use bytes::Bytes;

use super::{
    Api,
    caller::Caller,
    error::ApiError,
    query::{Name, Params},
};
use crate::supervise::{CrashReport, RESTART};
use clawpool_backends::store::{Page, Topic, WorkerInfo};

/// A request that no supervisor has taken by then is forgotten: it must not come as a surprise later.
const ASKED: Duration = Duration::from_secs(60);

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<Page<WorkerInfo>>, ApiError> {
    caller.oversees()?;
    let mut items = api.store.workers().await?;
    items.sort_by_key(|worker| (worker.beat.started_at, worker.beat.worker));
    Ok(Json(Page::new(items, None)))
}

/// Tells a worker to finish what it runs and leave; it learns of it with its next heartbeat.
pub(super) async fn drain(State(api): State<Arc<Api>>, name: Name) -> Result<StatusCode, ApiError> {
    let id = name.parse("id")?;
    if api.store.drain(id).await? {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(ApiError::not_found(format!("there is no worker {id}: GET /v1/workers lists them")))
    }
}

/// Latest first.
pub(super) async fn crashes(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<CrashReport>>, ApiError> {
    caller.oversees()?;
    let pool = params.text("pool");
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let page = api.store.journal(Topic::Crash, pool.as_deref(), cursor.as_deref(), limit).await?;
    // What a later version has written differently is left out.
    let reports = page.items.into_iter().filter_map(|entry| serde_json::from_value(entry.body).ok());
    Ok(Json(Page::new(reports.collect(), page.next)))
}

/// Asks the pool's supervisor to start what is down, whatever its policy says. It learns of it with its next
/// look.
pub(super) async fn restart(State(api): State<Arc<Api>>, name: Name) -> Result<StatusCode, ApiError> {
    let pool: String = name.parse("pool")?;
    api.store.put_note(None, &format!("{RESTART}{pool}"), Bytes::new(), Some(ASKED)).await?;
    Ok(StatusCode::ACCEPTED)
}
