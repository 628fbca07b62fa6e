//! A reader that takes nothing is cut, and costs the others nothing. Time is paused: minutes are nothing.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::api::{
    Api,
    connections::Connections,
    events::Hub,
    server::{Entered, Routes, converse},
    tests::down::Down,
};
use clawpool_backends::{broker::Broker, path, store::Store};
use clawpool_core::config::Config;
use clawpool_engine::{dispatch::Producer, live::Live};

/// What lies between server and reader: a few signs of life.
const BETWEEN: usize = 256;

/// A server whose connections are in memory. Its store is away, so a stream has nothing to say but that it is
/// there.
struct Quiet {
    hub: Arc<Hub>,
    entered: Entered,
    connections: Arc<Connections>,
}

impl Quiet {
    fn new() -> Self {
        let (broker, store): (Arc<dyn Broker>, Arc<dyn Store>) = (Arc::new(Down), Arc::new(Down));
        let live: Live = Config::default().into();
        let path = path::over(Arc::clone(&broker), Arc::clone(&store));
        let api = Api::new(Producer::following(&live, path, Arc::clone(&store)), broker, store, live);
        let hub = Arc::clone(&api.events);
        let connections = Arc::clone(&api.connections);
        let routes = Routes::new(api.router());
        let (_, all) = watch::channel(Some(routes.clone()));
        Self { hub, entered: Entered { starting: routes, routes: all }, connections }
    }

    /// A stream whose beginning was read, and what serves it.
    async fn stream(&self) -> (DuplexStream, JoinHandle<()>) {
        let (mut reader, stream) = duplex(BETWEEN);
        let permit = self.connections.acquire().await;
        let address = Ipv4Addr::LOCALHOST.into();
        let serving = converse(stream, address, self.entered.clone(), permit, CancellationToken::new());
        let serving = tokio::spawn(serving);
        reader.write_all(b"GET /v1/events?topics=queues HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
        let mut text = String::new();
        while !text.contains("event: open") {
            let mut piece = [0; BETWEEN];
            let length = reader.read(&mut piece).await.unwrap();
            text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        (reader, serving)
    }
}

/// Reads until the end.
async fn read(mut reader: DuplexStream) {
    let mut piece = [0; BETWEEN];
    while reader.read(&mut piece).await.is_ok_and(|length| length > 0) {}
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_cut_and_others_stay() {
    const HOUR: Duration = Duration::from_secs(3600);
    let server = Quiet::new();
    let (_stuck, serving) = server.stream().await;
    let (reader, _serving) = server.stream().await;
    let reading = tokio::spawn(read(reader));
    assert_eq!(server.hub.streams(), 2);
    let begun = Instant::now();
    timeout(HOUR, serving).await.expect("it holds its connection for ever").unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(60), "after {:?}", begun.elapsed());
    assert_eq!((server.hub.streams(), server.connections.count()), (1, 1));
    sleep(HOUR).await;
    assert!(!reading.is_finished(), "it takes what comes");
    assert_eq!(server.hub.streams(), 1);
}
