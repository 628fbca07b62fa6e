mod queueing;
mod scalers;
mod shapes;
mod traces;

use std::time::Duration;

use super::*;
use clawpool_core::{config::Autoscale, scaling::Reading};

fn model() -> SimulatedPool {
    let second = Duration::from_secs(1);
    SimulatedPool { scale: 1.0, service: 5 * second, slots: 10, start: 5 * second, sla: 30 * second, seed: 1 }
}

/// Hours of five-minute intervals with this many arrivals a second.
fn hours(hours: u32, rate: impl Fn(f64) -> f64) -> Trace {
    let rows =
        (0..hours * 12).map(|index| format!("{},{}\n", index * 300, 300.0 * rate(f64::from(index) / 12.0)));
    Trace::parse(&rows.collect::<String>()).unwrap()
}

/// Never changes its mind.
struct Fixed(u32);

impl Scaler for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn decide(&mut self, _: Duration, _: &Reading) -> u32 {
        self.0
    }
}
