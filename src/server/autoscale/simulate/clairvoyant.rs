use std::time::Duration;

use super::{Scaler, SimulatedPool, Trace};
use clawpool_core::scaling::Reading;

/// Knows the trace: at every minute it has the workers that keep the coming load at the upper end of the band
/// aimed at. Bound by the same least and most workers, and by nothing else. What no autoscaler can do; the
/// measure of those that try.
pub struct Clairvoyant {
    plan: Vec<u32>,
    every: Duration,
}

/// The upper end of 60 to 80 per cent.
const BUSY: f64 = 0.8;
const MINUTE: Duration = Duration::from_secs(60);

impl Clairvoyant {
    pub fn new(trace: &Trace, model: &SimulatedPool, min: u32, max: u32) -> Self {
        let rates: Vec<f64> = trace.rates(Duration::from_secs(1), model.scale).collect();
        let ahead = usize::try_from((model.start + MINUTE).as_secs()).unwrap_or_default();
        let plan = (0..rates.len()).step_by(60).map(|from| {
            // Workers ordered now come up after their start, and stay for this minute at least.
            let until = (from + ahead).min(rates.len());
            let most = rates[from..until].iter().copied().fold(0.0, f64::max);
            model.workers(most, BUSY).clamp(min, max)
        });
        Self { plan: plan.collect(), every: MINUTE }
    }
}

impl Scaler for Clairvoyant {
    fn name(&self) -> &str {
        "clairvoyant"
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn decide(&mut self, now: Duration, reading: &Reading) -> u32 {
        let minute = usize::try_from(now.as_secs() / 60).unwrap_or_default();
        self.plan.get(minute).copied().unwrap_or(reading.size)
    }
}
