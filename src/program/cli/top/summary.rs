use super::snapshot::Snapshot;
use crate::cli::output::{plain, word};
use clawpool_engine::{
    alert::Level,
    client::health::{ReasonView, Status},
};

/// The whole pool in two lines, and whether all is well.
pub(super) struct Summary {
    pub is_well: bool,
    pub state: String,
    pub figures: String,
}

impl Summary {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let health = &snapshot.health;
        let told = |reason: &ReasonView| {
            let text = reason.text.as_deref().unwrap_or(&reason.code);
            plain(&format!("{}: {text}", reason.subject), 100)
        };
        let reasons: Vec<_> = health.reasons.iter().map(told).collect();
        let state = match reasons.as_slice() {
            [] => word(&health.status),
            [only] => format!("{}: {only}", word(&health.status)),
            [first, rest @ ..] => format!("{}: {first}, and {} more", word(&health.status), rest.len()),
        };
        Self { is_well: health.status == Status::Healthy, state, figures: figures(snapshot) }
    }
}

fn figures(snapshot: &Snapshot) -> String {
    let queues = &snapshot.queues;
    let waiting: u64 = queues.iter().filter_map(|queue| queue.ready).sum();
    let running: u64 = queues.iter().map(|queue| queue.in_flight).sum();
    let came: f64 = queues.iter().map(|queue| queue.totals.enqueue_rate).sum();
    let ended: f64 = queues.iter().map(|queue| queue.totals.finish_rate).sum();
    let dead: u64 = queues.iter().map(|queue| queue.totals.dead).sum();
    let workers = snapshot.workers.iter().filter(|worker| worker.alive).count();
    let grave = |level: Level| matches!(level, Level::Error | Level::Critical);
    let alerts = snapshot.alerts.iter().filter(|alert| grave(alert.level)).count();
    format!(
        "waiting {waiting}  running {running}  in {came:.1}/s  out {ended:.1}/s  died {dead}  \
         workers {workers}  errors {alerts}"
    )
}
