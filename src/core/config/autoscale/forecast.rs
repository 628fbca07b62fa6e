//! The table `[autoscale.forecast]`.

use std::time::Duration;

use humantime::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::reading::{Key, Report},
    task::span,
};

/// Starts workers before a peak that returns with the hour or the weekday.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forecasting {
    /// Whether forecasts count; they do by default.
    pub mode: ForecastMode,
    /// One sample of the arrival rate.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub step: Duration,
    /// How far ahead is looked; 15 min by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub horizon: Duration,
    /// The periods in which load repeats. Each counts once two of it have been seen.
    #[schemars(with = "Vec<String>")]
    pub seasons: Vec<Season>,
    /// Samples are kept this long.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub history: Duration,
    /// Workers are started ahead when the forecast needs more than this many times the present ones.
    pub above: f64,
}

impl Default for Forecasting {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            mode: ForecastMode::On,
            step: Duration::from_secs(300),
            horizon: Duration::from_secs(900),
            seasons: vec![Season(DAY), Season(7 * DAY)],
            history: 21 * DAY,
            above: 1.3,
        }
    }
}

/// A period in which load repeats: a day, a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Season(#[serde(with = "span")] pub Duration);

/// What becomes of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastMode {
    /// It may start workers ahead.
    On,
    /// Forecasts and reports, and never changes the pool.
    Watch,
    /// None is made.
    Off,
}

impl Forecasting {
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        let step = key.name("step");
        report.positive(&step, self.step);
        report.ordered((&step, self.step), (&key.name("horizon"), self.horizon));
        if !self.above.is_finite() || self.above < 1.0 {
            let rule = "a forecast never shrinks the pool, so it must be 1 or more";
            report.refuse(&key.name("above"), self.above, rule, "write for example 1.3");
        }
        let seasons = key.name("seasons");
        if self.seasons.is_empty() {
            let rule = "without a season there is nothing to forecast";
            report.refuse(&seasons, "[]", rule, "write for example [\"1day\"]");
        }
        for (index, season) in self.seasons.iter().enumerate() {
            self.check_season(key, &seasons.index(index), season.0, report);
        }
    }

    fn check_season(&self, key: &Key, at: &Key, season: Duration, report: &mut Report) {
        let shown = format_duration(season);
        if season < self.step.saturating_mul(2) {
            let rule = "a season has at least two steps";
            report.conflict(&[at, &key.name("step")], shown, rule, "lengthen it");
        } else if season.saturating_mul(2) > self.history {
            let history = key.name("history");
            let rule = "the history never holds two of this season, so it never counts";
            report.conflict(&[at, &history], shown, rule, format!("take it out, or raise {history}"));
        }
    }
}
