//! HTTP, for producers and operators. JSON throughout; tasks may come as MessagePack.
//!
//! Guarantees: a task is answered with its id only when it is durable; whatever the bytes, the answer is a
//! status with `{code, message, field}`, never a panic and never a 500 for a client's mistake; a server in
//! trouble says 503 and when to come back. Never does: decide anything about tasks, which is for `dispatch`,
//! the store and the workers.

mod alerts;
mod audit;
mod auth;
mod autoscaler;
mod body;
mod bulk;
mod caller;
mod certificate;
mod connections;
mod dead;
mod decode;
mod enqueue;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod headers;
mod health;
mod metrics;
mod moving;
mod open_queues;
mod query;
mod queues;
mod routes;
mod schedule;
mod server;
mod starting;
mod tasks;
mod timing;
mod tokens;
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
    starting::{Awaited, starting},
};
use crate::health::Health;
use clawpool_backends::{broker::Broker, store::Store};
use clawpool_core::{config::Config, task::ProcessId};
use clawpool_engine::dispatch::Producer;

/// What the routes work with.
pub struct Api {
    producer: Producer,
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    config: Arc<Config>,
    /// What is wrong, where it is watched.
    health: Option<Arc<Health>>,
    /// Names this process in `/health`.
    instance: ProcessId,
    body_memory: body::BodyMemory,
    wrong_tokens: wrong_tokens::WrongTokens,
    /// Ends long waits when the server stops.
    closing: CancellationToken,
    tokens: tokens::TokenRegistry,
    refusals: audit::Refusals,
    /// Served over TLS, where there is one.
    certificate: Option<Arc<Certificate>>,
}

impl Api {
    pub fn new(
        producer: Producer,
        broker: Arc<dyn Broker>,
        store: Arc<dyn Store>,
        config: Arc<Config>,
    ) -> Self {
        // Before the first request is timed.
        crate::telemetry::metrics();
        let tokens = tokens::TokenRegistry::new(&config.api.tokens, Arc::clone(&store) as _);
        let closing = CancellationToken::new();
        Self {
            producer,
            broker,
            store,
            config,
            health: None,
            instance: ProcessId::new(),
            body_memory: body::BodyMemory::new(),
            wrong_tokens: wrong_tokens::WrongTokens::default(),
            closing,
            tokens,
            refusals: audit::Refusals::default(),
            certificate: None,
        }
    }

    /// Shows in `/health` what this finds.
    #[must_use]
    pub fn with_health(self, health: Arc<Health>) -> Self {
        Self { health: Some(health), ..self }
    }

    /// Serves over TLS with it, where there is one.
    #[must_use]
    pub fn with_certificate(self, certificate: Option<Arc<Certificate>>) -> Self {
        Self { certificate, ..self }
    }

    /// Every route there is.
    pub fn router(self) -> Router {
        let api = Arc::new(self);
        routes::router(&api).layer(middleware::from_fn(timing::measure)).with_state(api)
    }

    /// Serves until `shutdown`, then takes no more connections, answers the requests it has and returns.
    pub async fn serve(mut self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        self.closing = shutdown.clone();
        let connections = Connections::new(self.config.api.connections);
        let certificate = self.certificate.clone();
        let tls = certificate.as_ref().map(Certificate::acceptor);
        let listener = Arc::new(listener);
        let stop = shutdown.clone();
        let serving = server::serve(listener, tls, self.router(), connections, shutdown, server::GRACE);
        let watching = async {
            if let Some(certificate) = certificate {
                certificate.watch(&stop).await;
            }
        };
        tokio::join!(serving, watching);
        Ok(())
    }
}
