//! What a dispatcher answers while the servers that it needs are away: 503 to everything, and which server it
//! waits for.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{certificate::Certificate, connections::Connections, error::ApiError, server};
use clawpool_core::task::{ProcessId, Timestamp};
use clawpool_engine::client::view::{HealthView, Status};

/// What is waited for: the server's name, and in words why.
#[derive(Clone, Debug)]
pub struct Awaited {
    pub server: String,
    pub code: &'static str,
    /// Left out where callers must say who they are: it may hold addresses.
    pub reason: Option<String>,
}

/// Requests under way get this long once the servers are there.
const GRACE: Duration = Duration::from_secs(1);

/// Answers until `over`, then gives the listener back: connections that come later find everything there.
pub async fn starting(
    listener: TcpListener,
    certificate: Option<&Arc<Certificate>>,
    connections: u32,
    awaited: watch::Receiver<Awaited>,
    over: &CancellationToken,
) -> io::Result<TcpListener> {
    let listener = Arc::new(listener);
    let router = Router::new().route("/health", get(health)).fallback(refuse).with_state(awaited);
    let tls = certificate.map(Certificate::acceptor);
    let connections = Connections::new(connections);
    server::serve(Arc::clone(&listener), tls, router, connections, over.clone(), GRACE).await;
    Arc::into_inner(listener).ok_or_else(|| io::Error::other("the listener is still in use"))
}

async fn health(State(awaited): State<watch::Receiver<Awaited>>) -> Response {
    let Awaited { server, reason, .. } = awaited.borrow().clone();
    let view = HealthView {
        status: Status::Starting,
        instance_id: ProcessId::new().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timestamp: Timestamp::now(),
        services: BTreeMap::from([(
            server.clone(),
            reason.map_or_else(|| "down".to_owned(), |reason| format!("down: {reason}")),
        )]),
        reasons: Vec::new(),
        waiting_for: Some(server),
    };
    closing((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], Json(view)).into_response())
}

async fn refuse(State(awaited): State<watch::Receiver<Awaited>>) -> Response {
    let Awaited { server, code, .. } = awaited.borrow().clone();
    closing(
        ApiError::busy(code, format!("this dispatcher is starting: it waits for {server}")).into_response(),
    )
}

/// The next request goes over a connection to the real thing.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
