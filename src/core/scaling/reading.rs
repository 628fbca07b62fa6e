use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{config::Metric, task::millis};

/// What is known of a pool at one moment. What is not known is absent, never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Workers that run or start; those that drain are not counted.
    pub size: u32,
    /// Absent while the broker does not answer.
    pub queues: Option<Queues>,
    /// Absent while the store does not answer.
    pub workers: Option<Workers>,
    /// Absent where workers run on other machines.
    pub headroom: Option<Headroom>,
    /// Absent without a forecast that is trusted.
    pub ahead: Option<Ahead>,
}

/// The queues that a pool serves, as the broker counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Queues {
    /// Ready tasks in the queues that the pool serves.
    pub ready: u64,
    /// Tasks that workers have and have not finished.
    pub in_flight: u64,
    /// How long the oldest ready task has waited.
    #[serde(rename = "oldest_ms", alias = "oldest", with = "millis")]
    #[schemars(with = "u64")]
    pub oldest: Duration,
    /// Arrivals a second.
    #[serde(rename = "arrivals_per_second", alias = "arrivals")]
    pub arrivals: f64,
    /// Mean time that a task runs; absent before the first has finished.
    #[serde(default, rename = "service_ms", alias = "service", with = "millis::option")]
    #[schemars(with = "Option<u64>")]
    pub service: Option<Duration>,
}

/// The workers of a pool, as they report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workers {
    /// Those that have come up.
    pub started: u32,
    /// Those of them that report and are well.
    pub healthy: u32,
    /// Of one core's time, 100 at most.
    pub cpu: Gauge,
    /// Of the memory that each may take.
    pub memory: Gauge,
    /// Of the slots, those with a task.
    pub busy: Gauge,
}

impl Queues {
    /// A rate that was measured wrong (not a number, infinite, below zero) is no rate: what it is part of is
    /// not known.
    pub(super) fn is_sound(&self) -> bool {
        self.arrivals.is_finite() && self.arrivals >= 0.0
    }
}

/// A percentage over the started workers, some of which may be silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gauge {
    /// Mean over those that report.
    pub mean: f64,
    /// How many workers the mean is of.
    pub reporting: u32,
}

impl Gauge {
    /// The mean, with each silent worker counted as `silent` per cent. `None` without workers.
    fn with_silent(self, started: u32, silent: f64) -> Option<f64> {
        let reporting = self.reporting.min(started);
        let sum = self.mean * f64::from(reporting) + silent * f64::from(started - reporting);
        (started > 0 && self.mean.is_finite()).then(|| sum / f64::from(started))
    }
}

/// Memory of the machine that the pool's workers share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Headroom {
    /// Bytes that may still be used.
    pub free: u64,
    /// Bytes that one more worker takes.
    pub per_worker: u64,
}

impl Headroom {
    /// How many more workers the machine has memory for.
    pub fn workers(self) -> u32 {
        u32::try_from(self.free / self.per_worker.max(1)).unwrap_or(u32::MAX)
    }
}

/// A trusted forecast: the highest arrival rate within the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ahead {
    /// Tasks a second.
    pub arrivals: f64,
}

/// Which way a policy would change the pool: it decides how silent workers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Grow,
    Shrink,
}

impl Reading {
    pub(super) fn of(&self, metric: Metric, way: Way) -> Option<f64> {
        let silent = if way == Way::Grow { 0.0 } else { 100.0 };
        let gauge = |pick: fn(Workers) -> Gauge| {
            let workers = self.workers?;
            pick(workers).with_silent(workers.started, silent)
        };
        match metric {
            Metric::Cpu => gauge(|workers| workers.cpu),
            Metric::Memory => gauge(|workers| workers.memory),
            Metric::Busy => gauge(|workers| workers.busy),
            Metric::Queue => self.queues.map(|queues| queues.ready as f64),
            Metric::Oldest => self.queues.map(|queues| queues.oldest.as_secs_f64()),
            // A pool whose workers are all still starting is not ill.
            Metric::Healthy => {
                self.workers.filter(|workers| workers.started > 0).map(|known| f64::from(known.healthy))
            }
        }
    }

    /// Shrinking on half the facts would be guessing.
    pub(super) const fn is_whole(&self) -> bool {
        self.queues.is_some() && self.workers.is_some()
    }
}
