use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::autoscale::forecast::Forecaster;
use clawpool_core::{
    config::{ForecastMode, Forecasting},
    scaling::Ahead,
    task::Timestamp,
};
use clawpool_engine::client::ForecastStatus;

/// The forecast of one pool's arrivals, and the samples it learns from.
pub(super) struct ForecastState {
    settings: Forecasting,
    forecaster: Forecaster,
    samples: VecDeque<f32>,
    /// The step under way: how long it has been watched, and what came meanwhile.
    watched: Duration,
    came: f64,
    last: Option<Duration>,
    began: Duration,
}

/// Samples as they are kept.
#[derive(Serialize, Deserialize)]
struct Samples {
    step_ms: u64,
    /// When the latest one ended.
    until: Timestamp,
    rates: VecDeque<f32>,
}

impl ForecastState {
    /// `None` when the forecast is off. `kept`: what [`ForecastState::packed`] gave before.
    pub(super) fn new(settings: &Forecasting, kept: Option<&[u8]>, now: Timestamp) -> Option<Self> {
        if settings.mode == ForecastMode::Off {
            return None;
        }
        let mut forecast = Self {
            settings: settings.clone(),
            forecaster: Forecaster::new(settings),
            samples: VecDeque::new(),
            watched: Duration::ZERO,
            came: 0.0,
            last: None,
            began: Duration::ZERO,
        };
        let kept = kept.and_then(|bytes| rmp_serde::from_slice::<Samples>(bytes).ok());
        if let Some(kept) = kept.filter(|kept| u128::from(kept.step_ms) == settings.step.as_millis()) {
            forecast.learn(kept, now);
        }
        Some(forecast)
    }

    /// Fills the steps that no autoscaler watched: they are taken to have gone as a season before.
    fn learn(&mut self, kept: Samples, now: Timestamp) {
        let missed = now.since(kept.until).as_millis() / u128::from(kept.step_ms.max(1));
        let most = self.settings.history.as_millis() / u128::from(kept.step_ms.max(1));
        if missed >= most {
            return;
        }
        let season = self.settings.seasons.first().map_or(1, |season| self.steps(season.0));
        kept.rates.into_iter().for_each(|rate| self.observe(rate));
        for _ in 0..missed {
            let before = self.samples.len().checked_sub(season).and_then(|at| self.samples.get(at));
            if let Some(rate) = before.or_else(|| self.samples.back()).copied() {
                self.observe(rate);
            }
        }
    }

    /// True when a step has ended, and the samples should be stored again.
    pub(super) fn observe_rate(&mut self, now: Duration, arrivals: Option<f64>) -> bool {
        let since = self.last.replace(now).unwrap_or_else(|| {
            self.began = now;
            now
        });
        if let Some(arrivals) = arrivals {
            let span = now.saturating_sub(since);
            self.watched += span;
            self.came += arrivals * span.as_secs_f64();
        }
        if now.saturating_sub(self.began) < self.settings.step {
            return false;
        }
        let known = self.watched * 2 >= self.settings.step;
        let rate = if known {
            Some((self.came / self.watched.as_secs_f64()) as f32)
        } else {
            self.samples.back().copied()
        };
        self.watched = Duration::ZERO;
        self.came = 0.0;
        self.began = now;
        rate.map(|rate| self.observe(rate)).is_some()
    }

    fn observe(&mut self, rate: f32) {
        self.forecaster.observe(rate.into());
        self.samples.push_back(rate);
        while self.samples.len() > self.steps(self.settings.history) {
            self.samples.pop_front();
        }
    }

    fn steps(&self, span: Duration) -> usize {
        ((span.as_secs_f64() / self.settings.step.as_secs_f64()).round() as usize).max(1)
    }

    pub(super) fn packed(&self) -> Bytes {
        let step_ms = self.settings.step.as_millis().try_into().unwrap_or(u64::MAX);
        let samples = Samples { step_ms, until: Timestamp::now(), rates: self.samples.clone() };
        // Fails only for types that MessagePack lacks.
        rmp_serde::to_vec(&samples).unwrap_or_default().into()
    }

    /// In `watch` mode a forecast is shown also while it is not trusted.
    pub(super) fn ahead(&self) -> Option<Ahead> {
        let peak = match self.settings.mode {
            ForecastMode::On => self.forecaster.trusted_peak(),
            ForecastMode::Watch => self.forecaster.peak(),
            ForecastMode::Off => None,
        };
        peak.map(|arrivals| Ahead { arrivals })
    }

    pub(super) fn status(&self) -> ForecastStatus {
        ForecastStatus {
            mode: self.settings.mode,
            samples: self.samples.len(),
            peak: self.forecaster.peak(),
            accuracy: self.forecaster.accuracy(),
        }
    }
}
