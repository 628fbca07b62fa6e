//! What Prometheus reads. The store is looked at when it asks, not before.
//!
//! Guarantees: while the store is away the page still has all that this process knows by itself; each metric
//! is one of those that `telemetry` describes. Never does: wait for the store longer than Prometheus waits.

mod attempts;
mod journal;
mod own;
mod queues;
mod workers;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use self::workers::Workforce;
use super::{Api, caller::Caller, error::ApiError};
use crate::telemetry::{OwnProcess, Page};
use clawpool_core::task::Timestamp;

/// Prometheus gives up after ten seconds where nobody told it otherwise.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was counted since this process began.
pub(super) struct Totals {
    attempts: tokio::sync::Mutex<crate::telemetry::AttemptTotals>,
    journal: tokio::sync::Mutex<journal::JournalTotals>,
    process: OwnProcess,
}

impl Totals {
    pub(super) fn since(now: Timestamp) -> Self {
        Self {
            attempts: attempts::since(now).into(),
            journal: journal::JournalTotals::since(now).into(),
            process: OwnProcess::default(),
        }
    }
}

pub(super) async fn metrics(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, ApiError> {
    caller.oversees_queues()?;
    let mut page = Page::default();
    match timeout(PATIENCE, whole(&api)).await {
        Ok(Ok(whole)) => page = whole,
        _ => tracing::debug!("the store does not say what it knows: /metrics has what this process knows"),
    }
    own::show(&api, &mut page).await;
    api.totals.process.show(&mut page);
    let text = page.render() + &crate::telemetry::metrics().render();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// Of the whole pool: what the store and the brokers say.
async fn whole(api: &Api) -> Result<Page, ApiError> {
    let mut page = Page::default();
    let totals = attempts::show(api, &mut page).await?;
    queues::show(api, &totals, &mut page).await?;
    let workforce = Workforce::read(api).await?;
    workforce.show(&mut page);
    journal::show(api, workforce.pools(), &mut page).await?;
    Ok(page)
}
