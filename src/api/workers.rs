use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::{Api, auth::Caller, error::ApiError, query::Name};
use crate::{
    config::Scope,
    store::{Page, WorkerInfo},
};

pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Page<WorkerInfo>>, ApiError> {
    caller.needs(&[Scope::Read])?;
    let mut items = api.store.workers().await?;
    items.sort_by_key(|worker| (worker.beat.started_at, worker.beat.worker));
    Ok(Json(Page { items, next: None }))
}

/// Tells a worker to finish what it runs and leave; it learns of it with its next heartbeat.
pub(super) async fn drain(State(api): State<Arc<Api>>, caller: Caller, name: Name) -> Result<StatusCode, ApiError> {
    caller.needs(&[Scope::Admin])?;
    let id = name.parse("id")?;
    if api.store.drain(id).await? {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(ApiError::not_found(format!("there is no worker {id}: GET /v1/workers lists them")))
    }
}
