//! What keeps a pool from its size: servers that do not answer, a driver that cannot.
//!
//! Guarantees: the reason is in the status for as long as it lasts, and is logged once when it comes and once
//! when it ends. Never does: change a size.

use std::time::Duration;

use super::{DesiredSize, PoolController};
use crate::autoscale::{control::AutoscalerStore, driver::DriverError, sense::Replicas};
use clawpool_core::{scaling::Reading, task::Timestamp};

/// How long a failed change is shown when it is not tried again.
const FAILURE_SHOWN: Duration = Duration::from_secs(120);

impl<S: AutoscalerStore + ?Sized> PoolController<'_, S> {
    /// The driver does not answer: nothing is decided, and the last known status is shown with the reason.
    pub(super) async fn hold_size(&mut self, trouble: String) {
        self.note_trouble(Some(trouble));
        if self.shown.is_none() {
            let decision = self.planner.decide(self.since.elapsed(), &Reading::default());
            let desired = DesiredSize::new(&self.plan.settings, &decision, self.size_requests());
            self.shown = Some(self.status(desired, &decision, &Replicas::default()));
        }
        self.show_trouble().await;
    }

    async fn show_trouble(&mut self) {
        let trouble = self.visible_trouble();
        let Some(status) = &mut self.shown else { return };
        status.at = Timestamp::now();
        status.trouble = trouble;
        if let Err(error) = self.persisted.write_status(status).await {
            tracing::debug!(pool = self.plan.pool, %error, "the status is not shown");
        }
    }

    pub(super) fn visible_trouble(&self) -> Option<String> {
        let failed = || Some(self.failed.as_ref()?.1.clone());
        self.trouble.clone().or_else(failed).or_else(|| self.driver.problem())
    }

    pub(super) async fn note_failure(&mut self, failed: Option<String>) {
        let Some(reason) = failed else { return self.failed = None };
        if self.failed.as_ref().is_none_or(|(_, before)| *before != reason) {
            tracing::warn!(pool = self.plan.pool, "the pool does not get its size: {reason}");
        }
        self.failed = Some((self.since.elapsed(), reason));
        self.show_trouble().await;
    }

    /// A failure that is not tried again is shown for a while. Between two tries lies a cooldown.
    pub(super) fn forget_old_failure(&mut self) {
        let now = self.since.elapsed();
        self.failed.take_if(|(at, _)| now.saturating_sub(*at) > FAILURE_SHOWN);
    }

    /// Once for each outage, and once at its end.
    pub(super) fn note_trouble(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(reason)) => {
                tracing::warn!(pool = self.plan.pool, "the pool is not made smaller meanwhile: {reason}");
            }
            (Some(_), None) => tracing::info!(pool = self.plan.pool, "broker, store and driver answer again"),
            _ => {}
        }
        self.trouble = trouble;
    }
}

/// As the status shows it.
pub(super) fn said(error: &DriverError) -> String {
    format!("{}: {error}", error.code())
}
