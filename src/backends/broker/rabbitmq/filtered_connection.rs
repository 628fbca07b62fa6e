//! A connection on which messages of untrusted producers come in. lapin reads its socket itself, and has no
//! hook before that. So it gets one end of a local pair of sockets, and what the server sends reaches the
//! other end through the filter.

use std::io;

use async_rs::TokioRuntime;
use lapin::{
    Connection, ConnectionProperties,
    tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig},
    uri::AMQPUri,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::frame_filter::{BodyLimit, FrameFilter};

pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    body_limit: BodyLimit,
) -> lapin::Result<Connection> {
    let frame_max = usize::try_from(uri.query.frame_max.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let runtime = lapin::runtime::default_runtime()?;
    let connect = async move |uri: AMQPUri, runtime: TokioRuntime| {
        let tls = OwnedTLSConfig::default();
        let server = uri.connect_with_config_async(tls.as_ref(), &runtime).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let near = AsyncTcpStream::connect(&runtime, listener.local_addr()?).await?;
        let (far, peer) = listener.accept().await?;
        match &near {
            AsyncTcpStream::Plain(near) if near.get_ref().local_addr()? == peer => {}
            _ => return Err(io::Error::other("another program on this machine connected first").into()),
        }
        tokio::spawn(relay(server.compat(), far, FrameFilter::new(body_limit.clone(), frame_max)));
        Ok(near)
    };
    Connection::connector(uri, runtime, connect, properties).await
}

/// Ends, and both connections with it, when either side does.
async fn relay(server: impl AsyncRead + AsyncWrite, client: TcpStream, filter: FrameFilter) {
    let (from_server, mut to_server) = tokio::io::split(server);
    let (mut from_client, to_client) = client.into_split();
    let ended = tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = filtered(from_server, to_client, filter) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to RabbitMQ ended");
    }
}

async fn filtered(
    mut server: impl AsyncRead + Unpin,
    mut client: impl AsyncWrite + Unpin,
    mut filter: FrameFilter,
) -> io::Result<()> {
    let mut clean = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let length = server.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        filter.filter(&chunk[..length], &mut clean);
        client.write_all(&clean).await?;
        clean.clear();
    }
}
