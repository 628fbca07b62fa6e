use std::time::Duration;

use serde::Serialize;

use super::{Scaler, SimulatedPool, pool::Pool};
use clawpool_core::task::millis;

/// Points of the curves.
const SAMPLES: usize = 600;

/// What one scaler made of a trace.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub scaler: String,
    pub tasks: u64,
    #[serde(rename = "wait_p50_ms", with = "millis")]
    pub wait_p50: Duration,
    #[serde(rename = "wait_p95_ms", with = "millis")]
    pub wait_p95: Duration,
    #[serde(rename = "wait_p99_ms", with = "millis")]
    pub wait_p99: Duration,
    #[serde(rename = "wait_max_ms", with = "millis")]
    pub wait_max: Duration,
    pub worker_hours: f64,
    /// Slots with a task, over the whole time, as a share of the slots paid for.
    pub utilisation: f64,
    pub changes: u64,
    /// Changes of direction: growing after shrinking, or the other way round.
    pub turns: u64,
    pub sla_misses: u64,
    /// Share of all tasks.
    pub sla_miss_rate: f64,
    pub most_workers: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naive_error: Option<f64>,
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// One point of the curves: the highest values of its stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Workers that the arrivals alone keep fully busy.
    pub load: f64,
    pub wanted: u32,
    pub running: u32,
    pub waiting: u64,
}

pub(super) struct Measure {
    model: SimulatedPool,
    tick: Duration,
    per_sample: usize,
    ticks: usize,
    arrived: u64,
    in_sample: u64,
    /// How many tasks waited so many ticks.
    waits: Vec<u64>,
    worker_ticks: u64,
    busy_ticks: u64,
    changes: u64,
    turns: u64,
    /// The latest change made the pool larger.
    grew: Option<bool>,
    most: u32,
    samples: Vec<Sample>,
}

impl Measure {
    pub(super) fn new(model: &SimulatedPool, tick: Duration, ticks: usize) -> Self {
        Self {
            model: *model,
            tick,
            per_sample: ticks.div_ceil(SAMPLES).max(1),
            ticks: 0,
            arrived: 0,
            in_sample: 0,
            waits: Vec::new(),
            worker_ticks: 0,
            busy_ticks: 0,
            changes: 0,
            turns: 0,
            grew: None,
            most: 0,
            samples: Vec::new(),
        }
    }

    pub(super) fn change(&mut self, size: u32, wanted: u32) {
        if size != wanted {
            let before = self.grew.replace(wanted > size);
            self.changes += 1;
            self.turns += u64::from(before.is_some_and(|grew| grew != (wanted > size)));
        }
    }

    pub(super) fn tick(&mut self, pool: &Pool, arrivals: u64) {
        for (ticks, tasks) in &pool.waits {
            self.waited(*ticks, *tasks);
        }
        let alive = pool.alive();
        self.arrived += arrivals;
        self.worker_ticks += u64::from(alive);
        self.busy_ticks += pool.running + pool.draining_tasks();
        self.most = self.most.max(alive);
        self.sample(pool, arrivals);
    }

    fn waited(&mut self, ticks: u64, tasks: u64) {
        let index = usize::try_from(ticks).unwrap_or(usize::MAX - 1);
        if self.waits.len() <= index {
            self.waits.resize(index + 1, 0);
        }
        self.waits[index] += tasks;
    }

    fn sample(&mut self, pool: &Pool, arrivals: u64) {
        if self.ticks.is_multiple_of(self.per_sample) {
            self.samples.push(Sample::default());
            self.in_sample = 0;
        }
        self.ticks += 1;
        self.in_sample += arrivals;
        let Some(sample) = self.samples.last_mut() else { return };
        let seconds = ((self.ticks - 1) % self.per_sample + 1) as f64 * self.tick.as_secs_f64();
        let busy = self.in_sample as f64 / seconds * self.model.service.as_secs_f64();
        sample.load = busy / f64::from(self.model.slots.max(1));
        sample.wanted = sample.wanted.max(pool.size());
        sample.running = sample.running.max(pool.started);
        sample.waiting = sample.waiting.max(pool.ready);
    }

    pub(super) fn finish(mut self, pool: &Pool, scaler: &dyn Scaler) -> Outcome {
        // What still waits has waited at least this long.
        let oldest = pool.oldest(self.ticks as u64);
        self.waited((oldest.as_secs_f64() / self.tick.as_secs_f64()) as u64, pool.ready);
        let allowed = (self.model.sla.as_secs_f64() / self.tick.as_secs_f64()) as usize;
        let misses: u64 = self.waits.iter().skip(allowed + 1).sum();
        let slot_ticks = self.worker_ticks as f64 * f64::from(self.model.slots.max(1));
        let errors = scaler.forecast_error();
        Outcome {
            scaler: scaler.name().to_owned(),
            tasks: self.arrived,
            wait_p50: self.wait(0.5),
            wait_p95: self.wait(0.95),
            wait_p99: self.wait(0.99),
            wait_max: self.wait(1.0),
            worker_hours: self.worker_ticks as f64 * self.tick.as_secs_f64() / 3600.0,
            utilisation: self.busy_ticks as f64 / slot_ticks.max(1.0),
            changes: self.changes,
            turns: self.turns,
            sla_misses: misses,
            sla_miss_rate: misses as f64 / self.arrived.max(1) as f64,
            most_workers: self.most,
            forecast_error: errors.map(|(error, _)| error),
            naive_error: errors.map(|(_, naive)| naive),
            samples: self.samples,
        }
    }

    fn wait(&self, share: f64) -> Duration {
        let rank = (self.waits.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let within = |tasks: &u64| {
            seen += tasks;
            seen >= rank
        };
        let ticks = self.waits.iter().position(within).unwrap_or_default();
        self.tick * u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}
