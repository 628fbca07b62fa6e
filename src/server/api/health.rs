use std::{collections::BTreeMap, fmt::Display, future::Future, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::future::join_all;

use super::Api;
use crate::health::Trouble;
use clawpool_core::task::{Queue, Timestamp};
use clawpool_engine::client::view::{HealthView, ReasonView, Status};

/// A probe gives up after some seconds itself; this comes before it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether tasks can be taken: 503 when the broker or the store does not answer; degraded, with the reasons,
/// when some tasks are taken and others are not, or what was taken is in trouble.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Response {
    // Where callers are told apart, those who did not say who they are learn no addresses from a server's
    // errors.
    let reasons = api.config().api.tokens.is_empty();
    let depths = join_all(Queue::CLASSES.map(|queue| state(api.broker.depth(queue), reasons)));
    let (depths, store) = tokio::join!(depths, state(api.store.paused(), reasons));
    let some = depths.iter().any(|state| state == UP);
    let broker = depths.into_iter().find(|state| state != UP).unwrap_or_else(|| UP.to_owned());
    let troubles = api.health.as_ref().map(|health| health.troubles()).unwrap_or_default();
    let (code, status) = match (some && store == UP, broker == UP && troubles.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, Status::Unhealthy),
        (true, false) => (StatusCode::OK, Status::Degraded),
        (true, true) => (StatusCode::OK, Status::Healthy),
    };
    let view = HealthView {
        status,
        instance_id: api.instance.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timestamp: Timestamp::now(),
        services: BTreeMap::from([("broker".to_owned(), broker), ("store".to_owned(), store)]),
        reasons: troubles.into_iter().map(|trouble| reason(trouble, reasons)).collect(),
        waiting_for: None,
    };
    (code, Json(view)).into_response()
}

fn reason(trouble: Trouble, in_full: bool) -> ReasonView {
    let Trouble { event, subject, text, since, .. } = trouble;
    ReasonView { subject, event, code: event.code().to_owned(), text: in_full.then_some(text), since }
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
