//! HTTP, for producers and operators. JSON throughout; tasks may come as MessagePack.
//!
//! Guarantees: a task is answered with its id only when it is durable; whatever the bytes, the answer is a
//! status with `{code, message, field}`, never a panic and never a 500 for a client's mistake; a server in
//! trouble says 503 and when to come back. Never does: decide anything about tasks, which is for `dispatch`,
//! the store and the workers.

mod about;
mod access;
mod alerts;
mod audit;
mod auth;
mod autoscaler;
mod body;
mod bulk;
mod caller;
mod certificate;
mod chosen;
mod conditional;
mod config;
mod connections;
mod dead;
mod decode;
mod doctor;
mod enqueue;
mod error;
mod events;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod headers;
mod health;
mod host_series;
mod hosts;
mod idempotency;
mod metrics;
mod moving;
mod named;
mod open_queues;
pub mod openapi;
mod pages;
mod query;
mod queues;
mod reroute;
mod routes;
mod schedule;
mod server;
mod starting;
mod story;
mod task_bulk;
mod task_counts;
mod tasks;
mod timing;
mod tokens;
mod trace;
mod workers;
mod wrong_tokens;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::connections::Connections;
pub use self::{
    certificate::{BadCertificate, Certificate},
    doctor::Examine,
    starting::{Awaited, Entrance},
};
use crate::{health::Health, reload::Reloader};
use clawpool_backends::{broker::Broker, store::Store};
use clawpool_core::{
    config::Config,
    task::{ProcessId, Timestamp},
};
use clawpool_engine::{dispatch::Producer, live::Live};

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
    tokens: tokens::TokenRegistry,
    refusals: audit::Refusals,
    events: Arc<events::Hub>,
    /// What Prometheus was told.
    totals: metrics::Totals,
    /// Looks for what is wrong, where this process can.
    doctor: Option<Examine>,
    examining: tokio::sync::Mutex<()>,
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
        let tokens = tokens::TokenRegistry::new(&live, Arc::clone(&store) as _);
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
            refusals: audit::Refusals::default(),
            events: Arc::default(),
            totals: metrics::Totals::since(Timestamp::now()),
            doctor: None,
            examining: tokio::sync::Mutex::default(),
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

    /// Has this look for what is wrong, when somebody asks.
    #[must_use]
    pub fn with_doctor(self, doctor: Examine) -> Self {
        Self { doctor: Some(doctor), ..self }
    }

    /// As it holds now.
    fn config(&self) -> Arc<Config> {
        self.live.now()
    }

    /// Every route there is.
    pub fn router(self) -> Router {
        let api = Arc::new(self);
        let conditional = middleware::from_fn(conditional::conditional);
        let measured = middleware::from_fn(timing::measure);
        let secure = api.config().api.tls.is_some();
        let routes = routes::router(&api).with_state(api);
        pages::with(routes, secure).layer(conditional).layer(measured)
    }

    /// Serves until `shutdown`, then takes no more connections, answers the requests it has and returns.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let entrance = Entrance::open(listener, None, self.config().api.connections)?;
        entrance.serve(self, shutdown).await
    }
}
