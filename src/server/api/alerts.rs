use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, caller::Caller, error::ApiError, query::Params};
use clawpool_backends::store::{Entry, Page, Topic};
use clawpool_core::task::Timestamp;
use clawpool_engine::{
    alert::{Alert, Level},
    client::view::AlertView,
};

/// Latest first. A page may have fewer entries than asked for and still go on: `level` is looked at after the
/// limit.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<AlertView>>, ApiError> {
    caller.oversees()?;
    let pool = params.text("pool");
    let since = params.time("since")?;
    let level = params.value::<Level>("level")?;
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let mut unsaved = if cursor.is_none() { unsaved(&api, pool.as_deref()) } else { Vec::new() };
    let mut page = match api.store.journal(Topic::Alert, pool.as_deref(), cursor.as_deref(), limit).await {
        // What the store did not take can be shown without it.
        Err(error) if error.is_retryable() && !unsaved.is_empty() => {
            tracing::debug!(%error, "earlier alerts cannot be shown");
            Page::new(Vec::new(), None)
        }
        page => page?,
    };
    unsaved.append(&mut page.items);
    page.items = unsaved;
    let since = since.unwrap_or(Timestamp::from_millis(0));
    if page.items.last().is_some_and(|oldest| oldest.at < since) {
        page.next = None;
    }
    let recent = page.items.into_iter().filter(|entry| entry.at >= since);
    let views = recent.filter_map(view).filter(|alert| level.is_none_or(|level| alert.level >= level));
    Ok(Json(Page::new(views.collect(), page.next)))
}

/// Alerts that this process could not write yet.
fn unsaved(api: &Api, pool: Option<&str>) -> Vec<Entry> {
    let unsaved = api.health.alerts().unsaved();
    unsaved.into_iter().filter(|entry| pool.is_none_or(|pool| pool == entry.subject)).collect()
}

/// What a later version has written differently is left out.
pub(super) fn view(entry: Entry) -> Option<AlertView> {
    let Alert { event, text } = serde_json::from_value(entry.body)
        .inspect_err(|error| tracing::warn!(%error, "another version's alert is left out"))
        .ok()?;
    Some(AlertView {
        at: entry.at,
        pool: entry.subject,
        level: event.level(),
        event,
        code: event.code().to_owned(),
        text,
        fix: event.fix().to_owned(),
    })
}
