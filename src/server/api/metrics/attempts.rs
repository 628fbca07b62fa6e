use std::time::Duration;

use tokio::sync::MutexGuard;

use super::Page;
use crate::{
    api::{Api, error::ApiError},
    series,
    telemetry::AttemptTotals,
};
use clawpool_core::{figures::Step, task::Timestamp};

/// Calls that began within a window may end some time after it.
const GRACE: Duration = Duration::from_secs(2);

pub(super) fn since(now: Timestamp) -> AttemptTotals {
    AttemptTotals::since(Step::TenSeconds.window(now))
}

/// What workers counted since this process began, up to the last window that is over.
pub(super) async fn show<'a>(
    api: &'a Api,
    page: &mut Page,
) -> Result<MutexGuard<'a, AttemptTotals>, ApiError> {
    let mut totals = api.totals.attempts.lock().await;
    let over = Timestamp::from_millis(Timestamp::now().as_millis() - GRACE.as_millis() as u64);
    let until = Step::TenSeconds.window(over);
    if totals.until < until {
        let summary = series::summary(&*api.store, totals.until, until).await?;
        totals.add(&summary, until);
    }
    totals.show(page);
    Ok(totals)
}
