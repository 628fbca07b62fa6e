//! The section `[autoscale]`, and what a pool sets of it for itself.

mod forecast;
mod policies;
mod target;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    forecast::{ForecastMode, Forecasting, Season},
    policies::{Metric, Policy},
    target::Target,
};
use super::reading::{Key, Report};
use crate::task::span;

/// How large a pool of workers should be, and how fast it may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Autoscale {
    /// Workers at least; 1 by default.
    pub min: u32,
    /// Workers at most; 100 by default.
    pub max: u32,
    /// Between two looks at the pool.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub every: Duration,
    /// Workers that the table may add within any minute.
    pub per_minute: u32,
    /// After adding workers, before the table adds more.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_out: Duration,
    /// Between two times that the table takes workers away.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub cooldown_in: Duration,
    /// Tracking by waiting time.
    pub target: Target,
    /// Workers ahead of a peak that returns.
    pub forecast: Forecasting,
    /// Thresholds, each with what it does when it is crossed for long enough.
    pub policies: Vec<Policy>,
}

impl Default for Autoscale {
    fn default() -> Self {
        Self {
            min: 1,
            max: 100,
            every: Duration::from_secs(5),
            per_minute: 10,
            cooldown_out: Duration::from_secs(60),
            cooldown_in: Duration::from_secs(300),
            target: Target::default(),
            forecast: Forecasting::default(),
            policies: Policy::defaults(),
        }
    }
}

impl Autoscale {
    /// `key`: of the section, or of a pool's own.
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        report.at_least_one(key.name("min"), self.min);
        report.at_least_one(key.name("per_minute"), self.per_minute);
        report.positive(key.name("every"), self.every);
        if self.min > self.max {
            let min = key.name("min");
            let max = key.name("max");
            let rule = format!("it is more than {max} ({})", self.max);
            report.conflict(&[&min, &max], self.min, rule, format!("lower it, or raise {max}"));
        }
        self.target.check(&key.name("target"), report);
        if self.forecast.mode != ForecastMode::Off {
            self.forecast.check(&key.name("forecast"), report);
        }
        policies::check(&key.name("policies"), &self.policies, report);
    }
}

#[cfg(test)]
mod tests;
