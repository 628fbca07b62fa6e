mod faults;
mod properties;
mod table;
mod tracking;

use std::time::Duration;

use super::*;
use crate::config::{Autoscale, ForecastMode};

const SLOTS: u16 = 10;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Spec S4's table, and nothing beside it.
fn plain() -> Autoscale {
    let mut settings = Autoscale::default();
    settings.target.enabled = false;
    settings.forecast.mode = ForecastMode::Off;
    settings
}

/// Tracking alone.
fn tracking() -> Autoscale {
    Autoscale { policies: Vec::new(), ..Autoscale::default() }
}

/// A pool whose workers all report this load.
fn pool(size: u32, cpu: f64) -> Reading {
    let gauge = Gauge { mean: cpu, reporting: size };
    Reading {
        size,
        queues: Some(Queues::default()),
        workers: Some(Workers { started: size, healthy: size, cpu: gauge, memory: gauge, busy: gauge }),
        ..Reading::default()
    }
}

/// A pool under so much load: arrivals that keep this many slots busy.
fn loaded(size: u32, slots_busy: f64) -> Reading {
    let busy = (100.0 * slots_busy / f64::from(size.max(1)) / f64::from(SLOTS)).min(100.0);
    let queues = Queues { arrivals: slots_busy / 5.0, service: Some(seconds(5)), ..Queues::default() };
    Reading { queues: Some(queues), ..pool(size, busy) }
}

/// Looks every second at a reading that never changes, without following the decisions, until one changes
/// something.
fn first_change(settings: &Autoscale, reading: &Reading, within: u64) -> Option<(u64, Decision)> {
    let mut planner = Planner::new(settings, SLOTS);
    (0..=within).find_map(|now| {
        let decision = planner.decide(seconds(now), reading);
        (decision.action != Action::Hold).then_some((now, decision))
    })
}

/// Follows every decision; sizes at each look.
fn follow(
    settings: &Autoscale,
    mut size: u32,
    looks: u64,
    reading: impl Fn(u64, u32) -> Reading,
) -> Vec<Decision> {
    let mut planner = Planner::new(settings, SLOTS);
    let every = settings.every.as_secs();
    let decisions = (0..looks).map(|look| {
        let decision = planner.decide(seconds(look * every), &reading(look * every, size));
        size = decision.wanted;
        decision
    });
    decisions.collect()
}
