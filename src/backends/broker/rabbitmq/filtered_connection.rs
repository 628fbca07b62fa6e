//! A connection whose bytes are seen before lapin sees them: those of untrusted producers' messages, and the
//! server's greeting. lapin reads its socket itself, and has no hook before that. So it gets one end of a
//! local pair of sockets, and what the server sends reaches the other end through the filter.

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

/// Sees what the server sends.
pub(super) trait Filter: Send + 'static {
    /// Appends to `clean` what lapin is to get of the input.
    fn filter(&mut self, input: &[u8], clean: &mut Vec<u8>);
}

/// Each life of the connection has a filter of its own.
pub(super) async fn connect<F: Filter>(
    uri: AMQPUri,
    properties: ConnectionProperties,
    filter: impl Fn() -> F + Send + Sync + 'static,
) -> lapin::Result<Connection> {
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
        tokio::spawn(relay(server.compat(), far, filter()));
        Ok(near)
    };
    Connection::connector(uri, runtime, connect, properties).await
}

/// Ends, and both connections with it, when either side does.
async fn relay(server: impl AsyncRead + AsyncWrite, client: TcpStream, filter: impl Filter) {
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
    mut filter: impl Filter,
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
