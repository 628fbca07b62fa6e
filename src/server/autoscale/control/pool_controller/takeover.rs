//! What a new leader has of the former one: the counts, the size that was reached, the samples of the load.
//!
//! Guarantees: a state that cannot be read is logged, and the pool is kept without it. Never does: wait for
//! the forecast to learn.

use tokio::task::spawn_blocking;

use super::{ForecastState, PoolController};
use crate::autoscale::control::AutoscalerStore;
use clawpool_backends::store::StoreError;
use clawpool_core::task::Timestamp;

impl<S: AutoscalerStore + ?Sized> PoolController<'_, S> {
    pub(super) async fn restore(&mut self) {
        let (before, samples) = tokio::join!(self.persisted.last_status(), self.persisted.read_samples());
        if let Some(before) = self.readable(before) {
            self.counts = before.counts;
            self.inherited = Some(before.wanted).filter(|_| !self.is_dry());
        }
        let samples = self.readable(samples);
        let settings = self.plan.settings.forecast.clone();
        let learn = move || ForecastState::new(&settings, samples.as_deref(), Timestamp::now());
        self.learning = Some(spawn_blocking(learn));
    }

    fn readable<T>(&self, stored: Result<Option<T>, StoreError>) -> Option<T> {
        stored.unwrap_or_else(|error| {
            tracing::warn!(pool = self.plan.pool, %error, "the former leader's state cannot be read");
            None
        })
    }

    /// Takes the forecast as soon as it has learned.
    pub(super) async fn adopt_forecast(&mut self) {
        if let Some(learning) = self.learning.take_if(|learning| learning.is_finished()) {
            self.forecast = learning.await.unwrap_or_else(|error| {
                tracing::warn!(pool = self.plan.pool, %error, "there is no forecast");
                None
            });
        }
    }
}
