use std::{collections::VecDeque, time::Duration};

use super::Scaler;
use clawpool_core::scaling::Reading;

/// The Kubernetes Horizontal Pod Autoscaler on processor load, from its documented algorithm and defaults:
/// every 15 s `ceil(replicas × load / target)`, nothing within 10 % of the target, at most the larger of 4
/// pods and 100 % more in 15 s, and down only to the highest recommendation of the last 5 minutes. For
/// comparison only.
pub struct Hpa {
    min: u32,
    max: u32,
    /// Per cent.
    target: f64,
    recommended: VecDeque<(Duration, u32)>,
}

const EVERY: Duration = Duration::from_secs(15);
const STABILISATION: Duration = Duration::from_secs(300);
const TOLERANCE: f64 = 0.1;

impl Hpa {
    pub const fn new(min: u32, max: u32, target: f64) -> Self {
        Self { min, max, target, recommended: VecDeque::new() }
    }

    fn recommend(&self, reading: &Reading) -> u32 {
        let Some(workers) = reading.workers.filter(|workers| workers.cpu.reporting > 0) else {
            return reading.size;
        };
        let started = f64::from(workers.started);
        let size = f64::from(reading.size);
        let ratio = workers.cpu.mean / self.target;
        if (ratio - 1.0).abs() <= TOLERANCE {
            reading.size
        } else if ratio < 1.0 {
            (ratio * started).ceil() as u32
        } else {
            // Pods that are not ready count as idle when scaling up, and then the load must still be beyond
            // the tolerance.
            let ratio = ratio * started / size;
            if ratio > 1.0 + TOLERANCE { (ratio * size).ceil() as u32 } else { reading.size }
        }
    }
}

impl Scaler for Hpa {
    fn name(&self) -> &str {
        "kubernetes-hpa"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn decide(&mut self, now: Duration, reading: &Reading) -> u32 {
        let recommended = self.recommend(reading).clamp(self.min, self.max);
        self.recommended.push_back((now, recommended));
        while self.recommended.front().is_some_and(|(at, _)| now.saturating_sub(*at) > STABILISATION) {
            self.recommended.pop_front();
        }
        let highest = self.recommended.iter().map(|(_, size)| *size).max().unwrap_or(recommended);
        if recommended > reading.size {
            recommended.min(reading.size.saturating_add(reading.size.max(4)))
        } else {
            highest.min(reading.size)
        }
    }
}
