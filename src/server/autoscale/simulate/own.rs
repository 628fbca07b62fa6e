use std::time::Duration;

use super::{Scaler, SimulatedPool};
use crate::autoscale::forecast::Forecaster;
use clawpool_core::{
    config::{Autoscale, ForecastMode},
    scaling::{Ahead, Planner, Reading},
};

/// The autoscaler's own planner and forecaster, fed as the live ones are.
pub struct OwnScaler {
    name: String,
    settings: Autoscale,
    planner: Planner,
    forecaster: Option<Forecaster>,
    /// Sums of the arrival rate within the present step, and how many were added.
    step: (f64, u32),
    step_ends: Duration,
    errors: Errors,
}

/// Sums over every judged step, so that the report is not of the last day alone.
#[derive(Default)]
struct Errors {
    forecast: f64,
    naive: f64,
    days: f64,
}

impl OwnScaler {
    pub fn new(name: impl Into<String>, settings: &Autoscale, model: &SimulatedPool) -> Self {
        let forecast = &settings.forecast;
        Self {
            name: name.into(),
            planner: Planner::new(settings, model.slots),
            forecaster: (forecast.mode != ForecastMode::Off).then(|| Forecaster::new(forecast)),
            step: (0.0, 0),
            step_ends: forecast.step,
            settings: settings.clone(),
            errors: Errors::default(),
        }
    }

    fn observe(&mut self, now: Duration, arrivals: f64) -> Option<Ahead> {
        let forecaster = self.forecaster.as_mut()?;
        self.step = (self.step.0 + arrivals, self.step.1 + 1);
        if now >= self.step_ends {
            forecaster.observe(self.step.0 / f64::from(self.step.1));
            self.step = (0.0, 0);
            self.step_ends += self.settings.forecast.step;
            if let Some(accuracy) = forecaster.accuracy() {
                self.errors.forecast += accuracy.error;
                self.errors.naive += accuracy.naive_error;
                self.errors.days += 1.0;
            }
        }
        forecaster.trusted_peak().map(|arrivals| Ahead { arrivals })
    }
}

impl Scaler for OwnScaler {
    fn name(&self) -> &str {
        &self.name
    }

    fn every(&self) -> Duration {
        self.settings.every
    }

    fn sensed(&self) -> Duration {
        self.settings.target.sensed()
    }

    fn decide(&mut self, now: Duration, reading: &Reading) -> u32 {
        let arrivals = reading.queues.map_or(0.0, |queues| queues.arrivals);
        let ahead = self.observe(now, arrivals);
        self.planner.decide(now, &Reading { ahead, ..*reading }).wanted
    }

    fn forecast_error(&self) -> Option<(f64, f64)> {
        let Errors { forecast, naive, days } = self.errors;
        (days > 0.0).then(|| (forecast / days, naive / days))
    }
}
