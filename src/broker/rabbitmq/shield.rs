//! A connection on which strangers' messages come in. lapin reads from its socket itself and lets nobody read before it:
//! so it gets one end of a pair, and what the server sends reaches the other end through the scrubber.

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

use super::scrub::Scrubber;

pub(super) async fn connect(uri: AMQPUri, properties: ConnectionProperties) -> lapin::Result<Connection> {
    let runtime = lapin::runtime::default_runtime()?;
    let connect = async |uri: AMQPUri, runtime: TokioRuntime| {
        let tls = OwnedTLSConfig::default();
        let server = uri.connect_with_config_async(tls.as_ref(), &runtime).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let near = AsyncTcpStream::connect(&runtime, listener.local_addr()?).await?;
        let (far, peer) = listener.accept().await?;
        match &near {
            AsyncTcpStream::Plain(near) if near.get_ref().local_addr()? == peer => {}
            _ => return Err(io::Error::other("another program of this machine got between").into()),
        }
        tokio::spawn(relay(server.compat(), far));
        Ok(near)
    };
    Connection::connector(uri, runtime, connect, properties).await
}

/// Ends, and both connections with it, when either side does.
async fn relay(server: impl AsyncRead + AsyncWrite, client: TcpStream) {
    let (from_server, mut to_server) = tokio::io::split(server);
    let (mut from_client, to_client) = client.into_split();
    let ended = tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = scrubbed(from_server, to_client) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to RabbitMQ ended");
    }
}

async fn scrubbed(mut server: impl AsyncRead + Unpin, mut client: impl AsyncWrite + Unpin) -> io::Result<()> {
    let (mut scrubber, mut clean) = (Scrubber::default(), Vec::new());
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let length = server.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        scrubber.feed(&chunk[..length], &mut clean).map_err(io::Error::other)?;
        client.write_all(&clean).await?;
        clean.clear();
    }
}
