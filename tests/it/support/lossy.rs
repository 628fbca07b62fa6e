use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Stands between a process and a server, and loses one answer: the first that holds the given bytes. From
/// then on nothing comes back from the server, on whichever connection, until [`LossyProxy::recover`].
#[derive(Clone)]
pub struct LossyProxy {
    /// The server's address, through the proxy.
    pub url: String,
    marked: Arc<Mutex<Option<Vec<u8>>>>,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Whole,
    Lost,
    /// The connections of before are gone.
    Recovered,
}

impl LossyProxy {
    pub async fn before(url: &str) -> Self {
        let parsed = reqwest::Url::parse(url).unwrap();
        let server = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url.replace(&server, &listener.local_addr().unwrap().to_string());
        let proxy = Self { url, marked: Arc::default(), state: watch::Sender::default() };
        let this = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(this.clone().pass(client, server.clone()));
            }
        });
        proxy
    }

    pub fn lose(&self, answer: &[u8]) {
        *self.marked.lock().unwrap() = Some(answer.to_vec());
    }

    /// Until the answer is lost.
    pub async fn lost(&self) {
        let _ = self.state.subscribe().wait_for(|state| *state == State::Lost).await;
    }

    pub fn recover(&self) {
        self.state.send_replace(State::Recovered);
    }

    async fn pass(self, client: TcpStream, server: String) {
        let Ok(server) = TcpStream::connect(server).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let born = *self.state.borrow();
        let mut state = self.state.subscribe();
        let answers = async {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(size @ 1..) = from_server.read(&mut chunk).await {
                let marked = self.marked.lock().unwrap().take_if(|marked| holds(&chunk[..size], marked));
                if marked.is_some() {
                    self.state.send_replace(State::Lost);
                }
                if *self.state.borrow() != State::Lost && to_client.write_all(&chunk[..size]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            _ = copy(&mut from_client, &mut to_server) => {}
            () = answers => {}
            _ = state.wait_for(|now| *now == State::Recovered && born != State::Recovered) => {}
        }
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
