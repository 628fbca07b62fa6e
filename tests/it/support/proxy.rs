use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Stands between a process and a server, keeps what the process says, and makes links fall silent.
#[derive(Clone)]
pub struct Proxy {
    pub address: String,
    /// One for each connection.
    said: Arc<Mutex<Vec<Vec<u8>>>>,
    fate: watch::Sender<Fate>,
}

/// What becomes of connections.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// New ones are not taken: no answer, and no end.
    swallowed: bool,
    /// How often those that were there have died in silence, and by a reset.
    silences: u32,
    cuts: u32,
}

impl Proxy {
    /// In front of the server at `host:port`.
    async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fate = watch::Sender::default();
        let said = Arc::default();
        let proxy = Self { address: listener.local_addr().unwrap().to_string(), said, fate };
        let said = Arc::clone(&proxy.said);
        let fate = proxy.fate.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(live(client, server.clone(), Arc::clone(&said), fate.clone()));
            }
        });
        proxy
    }

    /// In front of the server of this address; and the address that leads through the proxy.
    pub async fn before(url: &str) -> (Self, String) {
        let parsed = reqwest::Url::parse(url).unwrap();
        let server = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap());
        let proxy = Self::start(server.clone()).await;
        let through = url.replace(&server, &proxy.address);
        (proxy, through)
    }

    /// All connections die, and neither end is told.
    pub fn silence(&self) {
        self.fate.send_modify(|fate| fate.silences += 1);
    }

    /// All connections are reset, and new ones go nowhere, or somewhere again.
    pub fn swallow(&self, swallowed: bool) {
        self.fate
            .send_modify(|fate| *fate = Fate { swallowed, cuts: fate.cuts + u32::from(swallowed), ..*fate });
    }

    /// Takes what was said since the last time, connection by connection.
    pub fn take(&self) -> Vec<Vec<u8>> {
        self.said.lock().unwrap().iter_mut().map(std::mem::take).collect()
    }
}

async fn live(
    mut client: TcpStream,
    server: String,
    said: Arc<Mutex<Vec<Vec<u8>>>>,
    fate: watch::Sender<Fate>,
) {
    let born = *fate.borrow();
    if born.swallowed {
        pending::<()>().await;
    }
    let mut server = TcpStream::connect(server).await.unwrap();
    let mut cut = fate.subscribe();
    let mut silenced = fate.subscribe();
    tokio::select! {
        () = pass(&mut client, &mut server, said) => return,
        _ = cut.wait_for(|now| now.cuts > born.cuts) => return,
        _ = silenced.wait_for(|now| now.silences > born.silences) => {}
    }
    pending::<()>().await;
}

/// Until one of the two hangs up.
async fn pass(client: &mut TcpStream, server: &mut TcpStream, said: Arc<Mutex<Vec<Vec<u8>>>>) {
    let place = {
        let mut said = said.lock().unwrap();
        said.push(Vec::new());
        said.len() - 1
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let words = async {
        let mut chunk = [0; 8192];
        while let Ok(size @ 1..) = from_client.read(&mut chunk).await {
            said.lock().unwrap()[place].extend_from_slice(&chunk[..size]);
            if to_server.write_all(&chunk[..size]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = words => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}
