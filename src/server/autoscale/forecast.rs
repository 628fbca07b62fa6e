//! The arrival rate of the next minutes, from how it went at this hour and on this weekday before.
//!
//! Guarantees: nothing is forecast before two whole seasons were seen; every forecast is later held against
//! what came, and while it is not clearly better than "the next minutes are like now" it is not trusted.
//! Memory is bounded by the history. Never does: I/O, or look at a clock.

use std::{collections::VecDeque, time::Duration};

use augurs_core::{Fit, Predict};
use augurs_mstl::MSTLModel;
use clawpool_core::{config::Forecasting, scaling::Accuracy};

/// Fits are costly and seasons change slowly: the level between two fits is followed by the forecast's own
/// error.
const FIT_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Forecasts whose errors are remembered: a day of five minutes.
const JUDGED: usize = 288;
/// Fewer judged forecasts than this say nothing.
const LEAST_JUDGED: usize = 24;
/// A forecast has to err less than half as much as none: workers started for nothing cost as well. On
/// recorded load with forecasts a tenth better than none, they cost hours and saved no task a wait.
const WORTH: f64 = 0.5;
/// How much of the latest surprise the level follows.
const FOLLOW: f64 = 0.3;

pub struct Forecaster {
    settings: Forecasting,
    /// Arrivals, one number a step, as logarithms: a peak is so many times the usual, not so many more.
    samples: VecDeque<f64>,
    /// The fitted course from the next step on; fronts are taken off as time passes.
    course: VecDeque<f64>,
    until_fit: usize,
    level: f64,
    pending: VecDeque<Pending>,
    judged: VecDeque<Errors>,
}

/// A forecast whose time has not come.
struct Pending {
    steps: usize,
    forecast: f64,
    naive: f64,
}

#[derive(Clone, Copy)]
struct Errors {
    forecast: f64,
    naive: f64,
    actual: f64,
}

impl Forecaster {
    pub fn new(settings: &Forecasting) -> Self {
        Self {
            settings: settings.clone(),
            samples: VecDeque::new(),
            course: VecDeque::new(),
            until_fit: 0,
            level: 0.0,
            pending: VecDeque::new(),
            judged: VecDeque::new(),
        }
    }

    /// The arrival rate of the step that has just ended.
    pub fn observe(&mut self, arrivals: f64) {
        let sample = (arrivals.max(0.0) * self.settings.step.as_secs_f64()).ln_1p();
        if let Some(expected) = self.course.pop_front() {
            self.level += FOLLOW * (sample - expected - self.level);
        }
        self.judge(arrivals);
        self.samples.push_back(sample);
        while self.samples.len() > self.steps(self.settings.history) {
            self.samples.pop_front();
        }
        self.until_fit = self.until_fit.saturating_sub(1);
        if self.until_fit == 0 || self.course.len() < self.horizon() {
            self.fit();
        }
        if let Some(forecast) = self.at_horizon() {
            self.pending.push_back(Pending { steps: self.horizon(), forecast, naive: arrivals });
        }
    }

    /// The highest arrival rate within the horizon, good or bad.
    pub fn peak(&self) -> Option<f64> {
        let within = self.course.iter().take(self.horizon());
        within.map(|expected| self.rate(*expected)).max_by(f64::total_cmp)
    }

    /// The same, while forecasts have lately been better than none.
    pub fn trusted_peak(&self) -> Option<f64> {
        self.accuracy().filter(|accuracy| accuracy.trusted).and_then(|_| self.peak())
    }

    pub fn accuracy(&self) -> Option<Accuracy> {
        let sum = |pick: fn(&Errors) -> f64| self.judged.iter().map(pick).sum::<f64>();
        let actual = sum(|errors| errors.actual);
        (self.judged.len() >= LEAST_JUDGED && actual > 0.0).then(|| {
            let error = sum(|errors| errors.forecast) / actual;
            let naive_error = sum(|errors| errors.naive) / actual;
            Accuracy { judged: self.judged.len(), error, naive_error, trusted: error < WORTH * naive_error }
        })
    }

    fn at_horizon(&self) -> Option<f64> {
        self.course.get(self.horizon() - 1).map(|expected| self.rate(*expected))
    }

    fn rate(&self, expected: f64) -> f64 {
        (expected + self.level).exp_m1().max(0.0) / self.settings.step.as_secs_f64()
    }

    fn judge(&mut self, actual: f64) {
        for pending in &mut self.pending {
            pending.steps -= 1;
        }
        while let Some(due) = self.pending.pop_front_if(|pending| pending.steps == 0) {
            let forecast = (due.forecast - actual).abs();
            self.judged.push_back(Errors { forecast, naive: (due.naive - actual).abs(), actual });
        }
        while self.judged.len() > JUDGED {
            self.judged.pop_front();
        }
    }

    /// Decomposes what was seen into seasons and what is left. Without two whole seasons there is nothing to
    /// fit.
    fn fit(&mut self) {
        let counts = |season: &usize| season * 2 <= self.samples.len();
        let seasons: Vec<_> =
            self.settings.seasons.iter().map(|season| self.steps(season.0)).filter(counts).collect();
        let fit_every = self.steps(FIT_EVERY);
        if seasons.is_empty() {
            return;
        }
        let steps = fit_every + self.horizon();
        match course(self.samples.make_contiguous(), seasons, steps) {
            Ok(course) => (self.course, self.level) = (course, 0.0),
            // The old course goes on; when it ends there is no forecast, and nothing else suffers.
            Err(error) => tracing::warn!(%error, "the forecast could not be fitted"),
        }
        self.until_fit = fit_every;
    }

    fn steps(&self, span: Duration) -> usize {
        let steps = span.as_secs_f64() / self.settings.step.as_secs_f64();
        (steps.round() as usize).max(1)
    }

    fn horizon(&self) -> usize {
        self.steps(self.settings.horizon)
    }
}

/// The samples' seasons, repeated upon the level that the samples reached without them.
fn course(samples: &[f64], seasons: Vec<usize>, steps: usize) -> Result<VecDeque<f64>, augurs_mstl::Error> {
    let fitted = MSTLModel::naive(seasons).fit(samples)?;
    let trend = fitted.fit().trend();
    let remainder = fitted.fit().remainder();
    let plain = trend.iter().zip(remainder).map(|(trend, remainder)| f64::from(trend + remainder));
    // The naive trend goes on from the very last sample; a smoothed one takes less of its noise along.
    let (smooth, last) = plain.fold((None, 0.0), |(smooth, _), sample| {
        (Some(smooth.map_or(sample, |smooth: f64| smooth + FOLLOW * (sample - smooth))), sample)
    });
    let correction = smooth.unwrap_or(last) - last;
    let course = fitted.predict(steps, None)?;
    Ok(course.point.into_iter().map(|point| point + correction).collect())
}
