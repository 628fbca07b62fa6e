//! What a pool's status and the journal say of a decision.
//!
//! Guarantees: both name every reading and vote that led to it. Never does: act on it.

use super::{DesiredSize, ForecastState, PoolController};
use crate::autoscale::{Plan, control::AutoscalerStore, sense::Replicas};
use clawpool_core::{scaling::Decision, task::Timestamp};
use clawpool_engine::client::{Cause, Change, PoolStatus};

impl<S: AutoscalerStore + ?Sized> PoolController<'_, S> {
    pub(super) fn status(
        &self,
        desired: DesiredSize,
        decision: &Decision,
        replicas: &Replicas,
    ) -> PoolStatus {
        let Plan { pool, settings, .. } = self.plan;
        PoolStatus {
            pool: pool.clone(),
            at: Timestamp::now(),
            by: self.me,
            dry_run: self.is_dry(),
            current: decision.reading.size.saturating_sub(self.driver.waiting()),
            draining: replicas.draining,
            wanted: desired.wanted,
            cause: desired.cause,
            min: settings.min,
            max: settings.max,
            paused: self.overrides.paused(pool),
            manual: self.overrides.manual(pool),
            trouble: self.visible_trouble(),
            forecast: self.forecast.as_ref().map(ForecastState::status),
            counts: self.counts,
            decision: decision.clone(),
        }
    }

    pub(super) async fn record_change(&self, desired: DesiredSize, decision: Decision) {
        let from = decision.reading.size;
        let to = desired.wanted;
        let cause: Cause = desired.cause;
        // A dry run replaces no worker.
        let alert = decision.alert.clone().filter(|_| desired.replace && !self.is_dry());
        if let Some(alert) = &alert {
            tracing::error!(pool = self.plan.pool, "{alert}");
        }
        tracing::info!(
            pool = self.plan.pool,
            from,
            to,
            ?cause,
            dry_run = self.is_dry(),
            limits = ?decision.limits,
            "scaling"
        );
        let change = Change { by: self.me, dry_run: self.is_dry(), from, to, cause, decision };
        if let Err(error) = self.persisted.append_change(&change, alert.as_deref()).await {
            tracing::warn!(pool = self.plan.pool, %error, "the decision is not in the journal");
        }
    }
}
