use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::{Api, autoscaler, caller::Caller, error::ApiError, queues};
use crate::series;
use clawpool_backends::store::WorkerInfo;
use clawpool_core::{figures::Step, task::Timestamp};
use clawpool_engine::client::{PoolStatus, view::QueueView};

/// For Prometheus. The queues are looked at when it asks, not before.
pub(super) async fn metrics(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, ApiError> {
    caller.oversees_queues()?;
    for view in queues::all(&api).await? {
        note(&view);
    }
    for status in autoscaler::pools(&api).await?.iter().filter(|status| !status.dry_run) {
        note_pool(status);
    }
    note_workers(&api.store.workers().await?);
    metrics::counter!("clawpool_spans_dropped_total").absolute(clawpool_engine::trace::dropped());
    let histograms = attempts(&api).await?;
    let text = crate::telemetry::metrics().render() + &histograms;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// Calls that began within a window may end some time after it.
const GRACE: Duration = Duration::from_secs(2);

/// What workers counted since this process began, up to the last window that is over. Notes the counters, and
/// answers the histograms.
async fn attempts(api: &Api) -> Result<String, ApiError> {
    let mut totals = api.attempts.lock().await;
    let over = Timestamp::from_millis(Timestamp::now().as_millis() - GRACE.as_millis() as u64);
    let until = Step::TenSeconds.window(over);
    if totals.until < until {
        let summary = series::summary(&*api.store, totals.until, until).await?;
        totals.add(&summary, until);
    }
    totals.count();
    Ok(totals.histograms())
}

#[allow(clippy::cast_precision_loss)]
fn note(view: &QueueView) {
    let queue = [("queue", view.queue.name())];
    if let Some(ready) = view.ready {
        metrics::gauge!("clawpool_queue_ready", &queue).set(ready as f64);
        let age = view.oldest_age_ms.unwrap_or_default() as f64 / 1000.0;
        metrics::gauge!("clawpool_queue_oldest_seconds", &queue).set(age);
    }
    metrics::gauge!("clawpool_queue_in_flight", &queue).set(view.in_flight as f64);
    metrics::gauge!("clawpool_queue_paused", &queue).set(if view.paused { 1.0 } else { 0.0 });
    let totals = &view.totals;
    metrics::counter!("clawpool_tasks_enqueued_total", &queue).absolute(totals.enqueued);
    metrics::counter!("clawpool_tasks_completed_total", &queue).absolute(totals.completed);
    metrics::counter!("clawpool_tasks_retried_total", &queue).absolute(totals.retried);
    metrics::counter!("clawpool_tasks_dead_total", &queue).absolute(totals.dead);
    metrics::counter!("clawpool_tasks_cancelled_total", &queue).absolute(totals.cancelled);
}

fn note_pool(status: &PoolStatus) {
    let pool = [("pool", status.pool.clone())];
    for (name, size) in [
        ("clawpool_pool_size", status.current),
        ("clawpool_pool_draining", status.draining),
        ("clawpool_pool_wanted", status.wanted),
        ("clawpool_pool_min", status.min),
        ("clawpool_pool_max", status.max),
    ] {
        metrics::gauge!(name, &pool).set(f64::from(size));
    }
    let counts = &status.counts;
    for (action, count) in [("grow", counts.grown), ("shrink", counts.shrunk), ("replace", counts.replaced)] {
        let labels = [("pool", status.pool.clone()), ("action", action.to_owned())];
        metrics::counter!("clawpool_pool_decisions_total", &labels).absolute(count);
    }
}

/// What the living workers of a pool say of themselves, together.
#[derive(Clone, Copy, Default)]
struct WorkerCounts {
    workers: f64,
    slots: f64,
    running: f64,
    cpu: f64,
    memory: f64,
}

/// Pools that had workers since this process began: one whose workers have all left shows nought, not its
/// last figures.
static POOLS: Mutex<BTreeMap<String, WorkerCounts>> = Mutex::new(BTreeMap::new());

#[allow(clippy::cast_precision_loss)]
fn note_workers(workers: &[WorkerInfo]) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.values_mut().for_each(|counts| *counts = WorkerCounts::default());
    for beat in workers.iter().filter(|worker| worker.alive).map(|worker| &worker.beat) {
        let counts = pools.entry(beat.pool.clone()).or_default();
        counts.workers += 1.0;
        counts.slots += f64::from(beat.slots);
        counts.running += beat.running.iter().copied().map(f64::from).sum::<f64>();
        let usage = beat.usage.unwrap_or_default();
        counts.cpu += f64::from(usage.cpu) / 100.0;
        counts.memory += usage.memory as f64;
    }
    for (pool, counts) in &*pools {
        let pool = [("pool", pool.clone())];
        metrics::gauge!("clawpool_workers", &pool).set(counts.workers);
        metrics::gauge!("clawpool_worker_slots", &pool).set(counts.slots);
        metrics::gauge!("clawpool_worker_tasks", &pool).set(counts.running);
        metrics::gauge!("clawpool_worker_cpu_cores", &pool).set(counts.cpu);
        metrics::gauge!("clawpool_worker_memory_bytes", &pool).set(counts.memory);
    }
}
