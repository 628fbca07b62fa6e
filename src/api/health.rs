use std::{collections::BTreeMap, fmt::Display, future::Future, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::future::try_join_all;

use super::{
    Api,
    view::{HealthView, Status},
};
use crate::task::{Queue, Timestamp};

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
