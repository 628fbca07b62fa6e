//! A TCP relay before a server, with which a test makes links fall silent.

use std::{future::pending, net::SocketAddr};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::server::Server;
use crate::backend::waiting::eventually;
use clawpool_core::config::Config;

/// What happens to links.
#[derive(Clone, Copy)]
struct Weather {
    /// Where new ones lead.
    server: SocketAddr,
    /// New ones are not accepted: no answer, and no end.
    swallows: bool,
    swallowed: u32,
    /// How often those that were there died in silence, and by a reset.
    silences: u32,
    cuts: u32,
}

pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
}

impl Proxy {
    pub async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fair = Weather { server: server.address(), swallows: false, swallowed: 0, silences: 0, cuts: 0 };
        let weather = watch::Sender::new(fair);
        let sky = weather.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, sky.clone()));
            }
        });
        Self { address, weather }
    }

    /// The server's configuration, through this proxy.
    pub fn config(&self, mut config: Config) -> Config {
        config.redis.url = format!("redis://{}/0", self.address).into();
        config
    }

    /// All links die, and neither end is told.
    pub fn silence(&self) {
        self.weather.send_modify(|weather| weather.silences += 1);
    }

    /// All links are reset, and new ones go nowhere until [`Proxy::clear`]. Returns when `count` of them did.
    pub async fn swallow(&self, count: u32) {
        self.weather.send_modify(|weather| {
            weather.swallows = true;
            weather.cuts += 1;
        });
        eventually(async || self.weather.borrow().swallowed >= count).await;
    }

    pub fn clear(&self) {
        self.weather.send_modify(|weather| weather.swallows = false);
    }

    /// New links lead to this server; those that are there stay where they are.
    pub fn lead_to(&self, server: &Server) {
        self.weather.send_modify(|weather| weather.server = server.address());
    }
}

async fn relay(mut client: TcpStream, weather: watch::Sender<Weather>) {
    let born = *weather.borrow();
    if born.swallows {
        weather.send_modify(|weather| weather.swallowed += 1);
        pending::<()>().await;
    }
    let Ok(mut server) = TcpStream::connect(born.server).await else { return };
    let mut cut = weather.subscribe();
    let mut silenced = weather.subscribe();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = cut.wait_for(|now| now.cuts > born.cuts) => return,
        _ = silenced.wait_for(|now| now.silences > born.silences) => {}
    }
    pending::<()>().await;
}
