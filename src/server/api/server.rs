//! Takes connections and serves the routes on them.

use std::{convert::Infallible, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::Request,
    response::Response,
};
use futures::StreamExt;
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connections::{Activity, Connections, Permit};

/// A client that stops in the middle of its request must not keep the server from stopping.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes that a connection may have read ahead; a request's head must fit.
const AHEAD: usize = 128 << 10;

/// Where a request comes from.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) activity: Arc<Activity>,
}

/// Serves until `shutdown`, then takes no more connections, answers the requests it has and returns.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    entered: Entered,
    connections: Arc<Connections>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let tracker = TaskTracker::new();
    let now = CancellationToken::new();
    let accepting = async {
        loop {
            let (stream, address) = accept(&listener, &connections).await;
            let permit = connections.acquire().await;
            let entered = entered.clone();
            let attending = attend(stream, tls.clone(), address, entered, permit, shutdown.clone());
            tracker.spawn(now.clone().run_until_cancelled_owned(attending));
        }
    };
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    tracker.close();
    if timeout(GRACE, tracker.wait()).await.is_err() {
        now.cancel();
        tracker.wait().await;
    }
    Ok(())
}

/// The next connection. A system that has no file left for it is asked again, and an idle connection is
/// closed.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, IpAddr) {
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip()),
            Err(error) if is_its_own(&error) => {}
            Err(error) => {
                connections.make_room();
                tracing::warn!(%error, "no connection can be taken; trying again");
                sleep(PAUSE).await;
            }
        }
    }
}

/// The connection is at fault, and is over.
fn is_its_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

pub(super) type Routes = TowerToHyperService<Router>;

/// What answers a request that comes now.
#[derive(Clone)]
pub(super) struct Entered {
    pub(super) starting: Routes,
    /// All of them, once they are there.
    pub(super) routes: watch::Receiver<Option<Routes>>,
}

impl Entered {
    fn routes(&self) -> Routes {
        self.routes.borrow().as_ref().unwrap_or(&self.starting).clone()
    }
}

async fn attend(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    address: IpAddr,
    entered: Entered,
    permit: Permit,
    shutdown: CancellationToken,
) {
    // An answer is small and the client waits for it: it must not wait for more to fill the packet.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else { return converse(stream, address, entered, permit, shutdown).await };
    let stream = tokio::select! {
        stream = tls.accept(stream) => stream,
        () = permit.activity.outdated() => return,
        () = shutdown.cancelled() => return,
    };
    match stream {
        Ok(stream) => converse(stream, address, entered, permit, shutdown).await,
        // Plain HTTP, a client that does not trust the certificate, or a probe of the port.
        Err(error) => tracing::debug!(%address, %error, "a connection without TLS"),
    }
}

/// Answers the requests of a connection until its end.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    address: IpAddr,
    entered: Entered,
    permit: Permit,
    shutdown: CancellationToken,
) {
    let activity = Arc::clone(&permit.activity);
    let peer = Peer { address, activity: Arc::clone(&activity) };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let routes = entered.routes();
        let peer = peer.clone();
        async move { Ok::<_, Infallible>(answer(&routes, peer, request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(AHEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Its end is the client's business, however it came.
        _ = connection.as_mut() => return,
        () = activity.outdated() => return,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

async fn answer(routes: &Routes, peer: Peer, request: hyper::Request<Incoming>) -> Response {
    let busy = peer.activity.begin();
    let mut request: Request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    let Ok(response) = routes.call(request).await;
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    // An answer that is made while it is sent keeps its connection until its end.
    response.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |piece| {
            let _until_the_end = &busy;
            piece
        }))
    })
}
