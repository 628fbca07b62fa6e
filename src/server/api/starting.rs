//! The entrance of a dispatcher, from its first moment on. While the servers that it needs are away it
//! answers 503 and which server it waits for; then everything is answered, also over connections that were
//! there before.
//!
//! Guarantees: `/health`, `/livez` and `/readyz` are answered at once. Never does: refuse a task because the
//! servers need a moment; other requests wait for them as long as that.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::service::Service;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

use super::{
    Api,
    certificate::Certificate,
    connections::Connections,
    error::ApiError,
    health::live,
    server::{self, Entered, Routes},
};
use clawpool_core::task::{ProcessId, Timestamp};
use clawpool_engine::client::health::{HealthView, ReadyView, Status};

/// What is waited for: the server's name, and in words why.
#[derive(Clone, Debug)]
pub struct Awaited {
    pub server: String,
    pub code: &'static str,
    /// Left out where callers must say who they are: it may hold addresses.
    pub reason: Option<String>,
}

/// Servers that are there answer sooner, also on a busy machine. Until then a request waits.
const SOON: Duration = Duration::from_secs(1);

/// A listener that is served.
pub struct Entrance {
    address: SocketAddr,
    instance: ProcessId,
    connections: Arc<Connections>,
    routes: watch::Sender<Option<Routes>>,
    awaited: watch::Sender<Option<Awaited>>,
    closing: CancellationToken,
    serving: AbortOnDropHandle<io::Result<()>>,
    /// To drop it closes the connections.
    _close: DropGuard,
}

impl Entrance {
    /// Answers from now on that the dispatcher starts; `connections` at a time.
    pub fn open(
        listener: TcpListener,
        certificate: Option<Arc<Certificate>>,
        connections: u32,
    ) -> io::Result<Self> {
        Self::patient(listener, certificate, connections, SOON)
    }

    /// The same; `patience`: for how long requests wait before they are refused.
    pub(super) fn patient(
        listener: TcpListener,
        certificate: Option<Arc<Certificate>>,
        connections: u32,
        patience: Duration,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let instance = ProcessId::new();
        let connections = Connections::new(connections);
        let (awaited, waits) = watch::channel(None);
        let (routes, all) = watch::channel(None);
        let starting =
            Starting { instance, awaited: waits, routes: all.clone(), soon: Instant::now() + patience };
        let entered = Entered { starting: Routes::new(starting.router()), routes: all };
        let closing = CancellationToken::new();
        let tls = certificate.as_ref().map(Certificate::acceptor);
        let serving = server::serve(listener, tls, entered, Arc::clone(&connections), closing.clone());
        let serving = watched(serving, certificate, closing.clone());
        Ok(Self {
            address,
            instance,
            connections,
            routes,
            awaited,
            serving: AbortOnDropHandle::new(tokio::spawn(serving)),
            _close: closing.clone().drop_guard(),
            closing,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the dispatcher waits for.
    pub fn tell(&self, awaited: Awaited) {
        self.awaited.send_replace(Some(awaited));
    }

    /// Answers everything until `shutdown`, then takes no more connections, answers the requests it has and
    /// returns.
    pub async fn serve(self, mut api: Api, shutdown: CancellationToken) -> io::Result<()> {
        let Self { instance, connections, routes, closing, serving, _close, .. } = self;
        api.instance = instance;
        api.connections = connections;
        api.closing = shutdown.clone();
        routes.send_replace(Some(Routes::new(api.router())));
        let mut serving = serving;
        tokio::select! {
            ended = &mut serving => return ended.map_err(io::Error::other)?,
            () = shutdown.cancelled() => closing.cancel(),
        }
        serving.await.map_err(io::Error::other)?
    }
}

/// Serves, and looks meanwhile whether the files of the certificate are others.
async fn watched<T>(
    serving: impl Future<Output = T>,
    certificate: Option<Arc<Certificate>>,
    closing: CancellationToken,
) -> T {
    let Some(certificate) = certificate else { return serving.await };
    let (served, ()) = tokio::join!(serving, certificate.watch(&closing));
    served
}

/// What is answered before the dispatcher can.
#[derive(Clone)]
struct Starting {
    instance: ProcessId,
    awaited: watch::Receiver<Option<Awaited>>,
    /// Those that come after these.
    routes: watch::Receiver<Option<Routes>>,
    soon: Instant,
}

impl Starting {
    fn router(self) -> Router {
        Router::new()
            .route("/livez", get(live))
            .route("/readyz", get(ready))
            .route("/health", get(health))
            .fallback(others)
            .with_state(self)
    }
}

/// What is waited for. Until a server was away once, that is all of them.
fn waits_for(awaited: Option<&Awaited>) -> &str {
    awaited.map_or("its servers", |awaited| &awaited.server)
}

async fn health(State(starting): State<Starting>) -> Response {
    let awaited = starting.awaited.borrow().clone();
    let state = |Awaited { server, reason, .. }: &Awaited| {
        let state = reason.as_ref().map_or_else(|| "down".to_owned(), |reason| format!("down: {reason}"));
        (server.to_lowercase(), state)
    };
    let view = HealthView {
        status: Status::Starting,
        instance_id: starting.instance.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timestamp: Timestamp::now(),
        services: awaited.iter().map(state).collect(),
        metrics: None,
        loops: None,
        probes: Vec::new(),
        age_ms: None,
        reasons: Vec::new(),
        waiting_for: Some(waits_for(awaited.as_ref()).to_owned()),
    };
    not_yet(Json(view))
}

async fn ready(State(starting): State<Starting>) -> Response {
    let awaited = starting.awaited.borrow().clone();
    let reason = awaited.as_ref().and_then(|awaited| awaited.reason.as_ref());
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let reasons = vec![format!("{}{reason}", starts(awaited.as_ref()))];
    not_yet(Json(ReadyView { ready: false, reasons }))
}

fn starts(awaited: Option<&Awaited>) -> String {
    format!("this dispatcher is starting: it waits for {}", waits_for(awaited))
}

fn not_yet(view: impl IntoResponse) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], view).into_response()
}

/// Waits a moment for the dispatcher.
async fn others(State(mut starting): State<Starting>, request: Request) -> Response {
    let opened = timeout_at(starting.soon, starting.routes.wait_for(Option::is_some)).await;
    let routes = opened.ok().and_then(Result::ok).and_then(|routes| routes.clone());
    if let Some(routes) = routes {
        let Ok(response) = routes.call(request).await;
        return response;
    }
    let awaited = starting.awaited.borrow().clone();
    let code = awaited.as_ref().map_or("CP-1301", |awaited| awaited.code);
    ApiError::busy(code, starts(awaited.as_ref())).into_response()
}
