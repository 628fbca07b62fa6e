use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::{
    Api,
    audit::Trail,
    body::Unread,
    caller::Caller,
    error::ApiError,
    query::{Name, Params},
};
use crate::autoscale::control::Overrides;
use clawpool_backends::store::{Entry, Page, StoreError, Topic};
use clawpool_engine::client::{
    Manual, PoolStatus, Scale,
    view::{AutoscalerView, ScalingView},
};

pub(super) async fn status(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<AutoscalerView>, ApiError> {
    caller.oversees_queues()?;
    let overrides = Overrides::read(&*api.store).await?;
    Ok(Json(AutoscalerView { paused: overrides.all_paused(), items: pools(&api).await? }))
}

/// Every pool that an autoscaler has lately kept, and what dry runs would do with it.
pub(super) async fn pools(api: &Api) -> Result<Vec<PoolStatus>, StoreError> {
    let mut notes = api.store.notes(PoolStatus::NOTES).await?;
    notes.extend(api.store.notes(PoolStatus::DRY_NOTES).await?);
    let read = |(name, note): &(String, bytes::Bytes)| {
        serde_json::from_slice(note)
            .inspect_err(|error| tracing::warn!(name, %error, "another version's status is left out"))
            .ok()
    };
    Ok(notes.iter().filter_map(read).collect())
}

pub(super) async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<ScalingView>>, ApiError> {
    caller.oversees_queues()?;
    let pool = params.text("pool");
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let page = api.store.journal(Topic::Scaling, pool.as_deref(), cursor.as_deref(), limit).await?;
    Ok(Json(Page::new(page.items.into_iter().filter_map(view).collect(), page.next)))
}

/// What a later version has written differently is left out.
pub(super) fn view(entry: Entry) -> Option<ScalingView> {
    let change = serde_json::from_value(entry.body)
        .inspect_err(|error| tracing::warn!(%error, "another version's decision is left out"))
        .ok()?;
    Some(ScalingView { pool: entry.subject, at: entry.at, change })
}

pub(super) async fn pause_all(State(api): State<Arc<Api>>) -> Result<StatusCode, ApiError> {
    set_paused(&api, None, true).await
}

pub(super) async fn resume_all(State(api): State<Arc<Api>>) -> Result<StatusCode, ApiError> {
    set_paused(&api, None, false).await
}

pub(super) async fn pause(State(api): State<Arc<Api>>, name: Name) -> Result<StatusCode, ApiError> {
    set_paused(&api, Some(name), true).await
}

pub(super) async fn resume(State(api): State<Arc<Api>>, name: Name) -> Result<StatusCode, ApiError> {
    set_paused(&api, Some(name), false).await
}

/// One pool, or all.
async fn set_paused(api: &Api, name: Option<Name>, paused: bool) -> Result<StatusCode, ApiError> {
    let pool = match name {
        Some(name) => Some(kept(api, &name).await?.pool),
        None => None,
    };
    if paused {
        Overrides::pause(&*api.store, pool.as_deref()).await?;
    } else {
        Overrides::resume(&*api.store, pool.as_deref()).await?;
    }
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn scale(
    State(api): State<Arc<Api>>,
    trail: Trail,
    name: Name,
    body: Unread,
) -> Result<Json<Manual>, ApiError> {
    let asked: Scale = body.read(&api).await?.decode(&api.config().limits)?;
    trail.tell(serde_json::to_value(&asked).unwrap_or_default());
    let Scale { size, keep } = asked;
    let PoolStatus { pool, min, max, .. } = kept(&api, &name).await?;
    if !(min..=max).contains(&size) {
        return Err(ApiError::field(
            "size",
            format!("size is {size}: pool {pool:?} is kept at {min} to {max} workers"),
        ));
    }
    if keep.is_zero() {
        return Err(ApiError::field("for", "for is 0s: write how long the size holds, for example 1h"));
    }
    Ok(Json(Overrides::scale(&*api.store, &pool, size, keep).await?))
}

/// Overrides for an unknown pool would wait in silence.
async fn kept(api: &Api, name: &Name) -> Result<PoolStatus, ApiError> {
    let pool: String = name.parse("pool")?;
    let known: Vec<PoolStatus> = pools(api).await?.into_iter().filter(|status| !status.dry_run).collect();
    let names: Vec<String> = known.iter().map(|status| status.pool.clone()).collect();
    known.into_iter().find(|status| status.pool == pool).ok_or_else(|| {
        ApiError::not_found(format!(
            "no autoscaler keeps a pool {pool:?} (kept are: {}): start one with `clawpool up` or `clawpool \
            autoscaler`",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ))
    })
}
