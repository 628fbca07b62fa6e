use std::{collections::VecDeque, time::Duration};

use super::{Outcome, Trace, load, measure::Measure, pool::Pool};
use clawpool_core::scaling::{Gauge, Queues, Reading, Workers};

/// What the simulated pool is like.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedPool {
    /// The trace's load, times this.
    pub scale: f64,
    /// Mean run time of a task.
    pub service: Duration,
    pub slots: u16,
    /// From the decision to a worker that takes tasks.
    pub start: Duration,
    /// A task that waits longer is a miss.
    pub sla: Duration,
    pub seed: u64,
}

/// Decides the size of a pool.
pub trait Scaler {
    fn name(&self) -> &str;

    /// Between two decisions.
    fn every(&self) -> Duration;

    /// Arrival rates and load are measured over this long.
    fn sensed(&self) -> Duration {
        SENSED
    }

    /// The size from now on.
    fn decide(&mut self, now: Duration, reading: &Reading) -> u32;

    /// Mean error of its forecasts and of the naive ones, as shares of the load.
    fn forecast_error(&self) -> Option<(f64, f64)> {
        None
    }
}

const SENSED: Duration = Duration::from_secs(30);

impl SimulatedPool {
    /// Short enough that few tasks begin and end within one.
    pub(super) fn tick(&self) -> Duration {
        self.service.clamp(Duration::from_millis(100), Duration::from_secs(1))
    }

    /// Workers that so many arrivals a second keep busy to this share.
    pub(super) fn workers(&self, arrivals: f64, busy: f64) -> u32 {
        (arrivals * self.service.as_secs_f64() / (f64::from(self.slots.max(1)) * busy)).ceil() as u32
    }
}

/// Runs one scaler against the trace, from the size that its first load needs.
pub fn simulate(trace: &Trace, model: &SimulatedPool, scaler: &mut dyn Scaler) -> Outcome {
    let tick = model.tick();
    let arrivals = load::arrivals(trace.rates(tick, model.scale), tick, model.seed);
    let first = trace.rates(tick, model.scale).next().unwrap_or_default();
    let mut pool = Pool::new(model, tick, model.workers(first, 0.7).max(1));
    let mut measure = Measure::new(model, tick, arrivals.len());
    let mut window = Window::new(scaler.sensed(), tick);
    let every = ticks(scaler.every(), tick);
    for (now, arrivals) in (0_u64..).zip(arrivals) {
        pool.step(now, arrivals);
        window.push(arrivals, pool.running, pool.slots());
        if now % every == 0 {
            let reading = read(&pool, &window, model, now);
            let wanted = scaler.decide(tick.mul_f64(now as f64), &reading);
            measure.change(reading.size, wanted);
            pool.resize(now, wanted);
        }
        measure.tick(&pool, arrivals);
    }
    measure.finish(&pool, scaler)
}

fn ticks(span: Duration, tick: Duration) -> u64 {
    ((span.as_secs_f64() / tick.as_secs_f64()).round() as u64).max(1)
}

fn read(pool: &Pool, window: &Window, model: &SimulatedPool, now: u64) -> Reading {
    let busy = Gauge { mean: window.busy() * 100.0, reporting: pool.started };
    Reading {
        size: pool.size(),
        queues: Some(Queues {
            ready: pool.ready,
            in_flight: pool.running + pool.draining_tasks(),
            oldest: pool.oldest(now),
            arrivals: window.rate(),
            service: Some(model.service),
        }),
        // A worker's processor is taken to be as busy as its slots, and nothing fails.
        workers: Some(Workers {
            started: pool.started,
            healthy: pool.started,
            cpu: busy,
            memory: Gauge::default(),
            busy,
        }),
        headroom: None,
        ahead: None,
    }
}

/// Sums over the last while.
struct Window {
    ticks: VecDeque<[u64; 3]>,
    sums: [u64; 3],
    most: usize,
    tick: f64,
}

impl Window {
    fn new(span: Duration, tick: Duration) -> Self {
        let most = usize::try_from(ticks(span, tick)).unwrap_or(1);
        Self { ticks: VecDeque::with_capacity(most + 1), sums: [0; 3], most, tick: tick.as_secs_f64() }
    }

    fn push(&mut self, arrivals: u64, running: u64, slots: u64) {
        let row = [arrivals, running, slots];
        self.ticks.push_back(row);
        let gone =
            if self.ticks.len() > self.most { self.ticks.pop_front().unwrap_or_default() } else { [0; 3] };
        for ((sum, new), old) in self.sums.iter_mut().zip(row).zip(gone) {
            *sum = *sum + new - old;
        }
    }

    /// Arrivals a second.
    fn rate(&self) -> f64 {
        self.sums[0] as f64 / (self.ticks.len().max(1) as f64 * self.tick)
    }

    /// Share of the slots that had a task.
    fn busy(&self) -> f64 {
        (self.sums[1] as f64 / self.sums[2].max(1) as f64).min(1.0)
    }
}
