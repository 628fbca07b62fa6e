use std::{collections::BTreeMap, fmt::Display, future::Future, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::try_join_all;

use super::{
    Api,
    auth::Caller,
    autoscaler,
    error::ApiError,
    queues,
    view::{HealthView, QueueView, Status},
};
use crate::{
    autoscale::control::PoolStatus,
    config::Scope,
    task::{Queue, Timestamp},
};

/// A probe gives up after some seconds itself; this comes before it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether tasks can be taken: 200 when both seams answer, 503 otherwise.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Response {
    let depths = try_join_all(Queue::ALL.map(|queue| api.broker.depth(queue)));
    // Where callers are told apart, those who did not say who they are learn no addresses from a server's errors.
    let reasons = api.config.api.tokens.is_empty();
    let (broker, store) = tokio::join!(state(depths, reasons), state(api.store.paused(), reasons));
    let healthy = broker == UP && store == UP;
    let (code, status) =
        if healthy { (StatusCode::OK, Status::Healthy) } else { (StatusCode::SERVICE_UNAVAILABLE, Status::Unhealthy) };
    let view = HealthView {
        status,
        instance_id: api.instance.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timestamp: Timestamp::now(),
        services: BTreeMap::from([("broker".to_owned(), broker), ("store".to_owned(), store)]),
    };
    (code, Json(view)).into_response()
}

const UP: &str = "up";

async fn state<T, E: Display>(check: impl Future<Output = Result<T, E>>, reasons: bool) -> String {
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(_)) => UP.to_owned(),
        Ok(Err(error)) if reasons => format!("down: {error}"),
        Ok(Err(_)) => "down".to_owned(),
        Err(_) => format!("down: no answer within {PATIENCE:?}"),
    }
}

/// For Prometheus. The queues are looked at when it asks, not before.
pub(super) async fn metrics(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, ApiError> {
    caller.needs(&[Scope::Read])?;
    for view in queues::all(&api).await? {
        note(&view);
    }
    for status in autoscaler::pools(&api).await?.iter().filter(|status| !status.dry_run) {
        note_pool(status);
    }
    let text = crate::telemetry::metrics().render();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
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
