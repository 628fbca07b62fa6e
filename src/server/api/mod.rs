//! HTTP, for producers and operators. JSON throughout; tasks may come as MessagePack.
//!
//! Guarantees: a task is answered with its id only when it is durable; whatever the bytes, the answer is a
//! status with `{code, message, field}`, never a panic and never a 500 for a client's mistake; a server in
//! trouble says 503 and when to come back. Never does: decide anything about tasks, which is for `dispatch`,
//! the store and the workers.

mod alerts;
mod auth;
mod autoscaler;
mod body;
mod bulk;
mod config;
mod connections;
mod dead;
mod decode;
mod enqueue;
mod error;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod headers;
mod health;
mod metrics;
mod moving;
mod open_queues;
mod query;
mod queues;
mod schedule;
mod server;
mod starting;
mod story;
mod tasks;
mod timing;
mod workers;
mod wrong_tokens;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use axum::{
    Router, middleware,
    routing::{delete, get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::starting::{Awaited, Entrance};
use self::{connections::Connections, error::ApiError};
use crate::{health::Health, reload::Reloader, telemetry::AttemptTotals};
use clawpool_backends::{broker::Broker, store::Store};
use clawpool_core::{
    config::Config,
    figures::Step,
    task::{ProcessId, Timestamp},
};
use clawpool_engine::{
    dispatch::Producer,
    live::{Derived, Live},
};

/// What the routes work with.
pub struct Api {
    producer: Producer,
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    live: Live,
    /// What is wrong.
    health: Arc<Health>,
    /// Reads the configuration again, where this process can.
    reloader: Option<Arc<Reloader>>,
    /// Names this process in `/health`.
    instance: ProcessId,
    body_memory: body::BodyMemory,
    wrong_tokens: wrong_tokens::WrongTokens,
    connections: Arc<Connections>,
    /// Ends long waits when the server stops.
    closing: CancellationToken,
    tokens: Derived<auth::Tokens>,
    /// What Prometheus was told of attempts.
    attempts: tokio::sync::Mutex<AttemptTotals>,
}

impl Api {
    pub fn new(
        producer: Producer,
        broker: Arc<dyn Broker>,
        store: Arc<dyn Store>,
        live: impl Into<Live>,
    ) -> Self {
        // Before the first request is timed.
        crate::telemetry::metrics();
        let live = live.into();
        let tokens = Derived::new(&live, |config| auth::Tokens::new(&config.api.tokens));
        let closing = CancellationToken::new();
        let config = live.now();
        let health = Health::new(Arc::clone(&config), Arc::clone(&broker), Arc::clone(&store));
        let connections = Connections::new(config.api.connections);
        Self {
            producer,
            broker,
            store,
            live,
            health: Arc::new(health),
            reloader: None,
            instance: ProcessId::new(),
            body_memory: body::BodyMemory::new(),
            wrong_tokens: wrong_tokens::WrongTokens::default(),
            connections,
            closing,
            tokens,
            attempts: AttemptTotals::since(Step::TenSeconds.window(Timestamp::now())).into(),
        }
    }

    /// Shows in `/health` what this finds; else only who asks has anything checked.
    #[must_use]
    pub fn with_health(self, health: Arc<Health>) -> Self {
        Self { health, ..self }
    }

    /// Has this read the configuration again, when an operator asks for it.
    #[must_use]
    pub fn with_reloader(self, reloader: Arc<Reloader>) -> Self {
        Self { reloader: Some(reloader), ..self }
    }

    /// As it holds now.
    fn config(&self) -> Arc<Config> {
        self.live.now()
    }

    /// Every route there is.
    pub fn router(self) -> Router {
        let api = Arc::new(self);
        Router::new()
            .route("/v1/tasks", post(enqueue::enqueue).get(tasks::list))
            .route("/v1/tasks/{id}", get(story::show).delete(tasks::cancel))
            .route("/v1/tasks/{id}/logs", get(story::logs))
            .route("/v1/tasks/{id}/run", post(tasks::run))
            .route("/v1/explain", post(enqueue::explain))
            .route("/v1/queues", get(queues::list).post(open_queues::add))
            .route("/v1/queues/{queue}", delete(open_queues::remove))
            .route("/v1/queues/{queue}/pause", post(queues::pause))
            .route("/v1/queues/{queue}/resume", post(queues::resume))
            .route("/v1/dead", get(dead::list))
            .route("/v1/dead/export", get(dead::export))
            .route("/v1/dead/requeue", post(bulk::requeue))
            .route("/v1/dead/discard", post(bulk::discard))
            .route("/v1/dead/{id}", get(dead::show))
            .route("/v1/scheduled", get(schedule::list))
            .route("/v1/workers", get(workers::list))
            .route("/v1/workers/crashes", get(workers::crashes))
            .route("/v1/workers/{id}/drain", post(workers::drain))
            .route("/v1/pools/{pool}/restart", post(workers::restart))
            .route("/v1/alerts", get(alerts::list))
            .route("/v1/autoscaler", get(autoscaler::status))
            .route("/v1/autoscaler/history", get(autoscaler::history))
            .route("/v1/autoscaler/pause", post(autoscaler::pause_all))
            .route("/v1/autoscaler/resume", post(autoscaler::resume_all))
            .route("/v1/autoscaler/{pool}/pause", post(autoscaler::pause))
            .route("/v1/autoscaler/{pool}/resume", post(autoscaler::resume))
            .route("/v1/autoscaler/{pool}/scale", post(autoscaler::scale))
            .route("/v1/sla", get(figures::sla))
            .route("/v1/figures", get(figures::list))
            .route("/livez", get(health::live))
            .route("/readyz", get(health::ready))
            .route("/v1/config/reload", post(config::reload))
            .route("/health", get(health::health))
            .route("/metrics", get(metrics::metrics))
            .fallback(|| async { ApiError::not_found("there is nothing at this address") })
            .method_not_allowed_fallback(wrong_method)
            .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::admit))
            .layer(middleware::from_fn(timing::measure))
            .with_state(api)
    }

    /// Serves until `shutdown`, then takes no more connections, answers the requests it has and returns.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let entrance = Entrance::open(listener, self.config().api.connections)?;
        entrance.serve(self, shutdown).await
    }
}

async fn wrong_method() -> ApiError {
    let message = "this address does not take this method";
    ApiError::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "CP-1406", message)
}
