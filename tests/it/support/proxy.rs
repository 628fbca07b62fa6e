use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Stands between a worker and a server, and keeps what the worker says.
#[derive(Clone)]
pub struct Proxy {
    pub address: String,
    /// One for each connection.
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    /// In front of the server at `host:port`.
    pub async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap().to_string(), said: Arc::default() };
        let said = Arc::clone(&proxy.said);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), Arc::clone(&said)));
            }
        });
        proxy
    }

    /// Takes what was said since the last time, connection by connection.
    pub fn take(&self) -> Vec<Vec<u8>> {
        self.said.lock().unwrap().iter_mut().map(std::mem::take).collect()
    }
}

async fn pass(client: TcpStream, server: String, said: Arc<Mutex<Vec<Vec<u8>>>>) {
    let server = TcpStream::connect(server).await.unwrap();
    let place = {
        let mut said = said.lock().unwrap();
        said.push(Vec::new());
        said.len() - 1
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut chunk = [0; 8192];
    while let Ok(size @ 1..) = from_client.read(&mut chunk).await {
        said.lock().unwrap()[place].extend_from_slice(&chunk[..size]);
        if to_server.write_all(&chunk[..size]).await.is_err() {
            break;
        }
    }
    answers.abort();
}
