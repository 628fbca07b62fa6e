//! How many tasks there are of each state and kind.
//!
//! Guarantees: a request looks at a bounded number of records, and says whether these were all. Never
//! does: have a task counted on its way; what is exact comes from totals that the store keeps anyway.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, caller::Caller, error::ApiError, query::Params, tasks};
use clawpool_backends::store::{LOOKED_AT, Looked};
use clawpool_engine::client::lists::{TaskCountsView, TotalsView};

/// Records that are read together.
const BATCH: usize = 1_000;

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<TaskCountsView>, ApiError> {
    let filter = tasks::filter(&api, &caller, &mut params).await?;
    let mut cursor = params.text("cursor");
    params.done()?;
    let is_first = cursor.is_none();
    let mut view = TaskCountsView::default();
    loop {
        let Looked { items, next, looked_at } = api.store.look(&filter, cursor.as_deref(), BATCH).await?;
        for seen in items.iter().filter(|seen| caller.reaches(seen.record.queue)) {
            view.count(&seen.record.kind, seen.record.state, 1);
        }
        view.looked_at += looked_at as u64;
        cursor = next;
        if cursor.is_none() || view.looked_at >= LOOKED_AT as u64 {
            break;
        }
    }
    view.exact = is_first && cursor.is_none();
    view.next = cursor;
    if caller.oversees().is_ok() {
        view.since_start = Some(since_start(&api).await?);
    }
    Ok(Json(view))
}

async fn since_start(api: &Api) -> Result<TotalsView, ApiError> {
    let totals = api.store.totals().await?;
    let mut sum = TotalsView::default();
    for totals in totals.values() {
        sum.enqueued += totals.enqueued;
        sum.completed += totals.completed;
        sum.retried += totals.retried;
        sum.dead += totals.dead;
        sum.cancelled += totals.cancelled;
    }
    Ok(sum)
}
