use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, caller::Caller, error::ApiError, query::Params};
use clawpool_backends::store::{Page, ScheduledTask};

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<ScheduledTask>>, ApiError> {
    caller.oversees()?;
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    Ok(Json(api.store.scheduled(cursor.as_deref(), limit).await?))
}
