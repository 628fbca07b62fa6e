use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What the server says to a body; `None`: it hangs up without a word.
pub(super) type Answer = fn(&Value) -> Option<(u16, Value)>;

/// A server that follows a script, one answer a request, and then tells what it was sent.
pub(super) struct Scripted {
    pub(super) url: String,
    heard: JoinHandle<io::Result<Vec<Value>>>,
}

impl Scripted {
    pub(super) async fn start(script: Vec<Answer>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = tokio::spawn(async move {
            let mut heard = Vec::new();
            for answer in script {
                heard.push(serve(listener.accept().await?.0, answer).await?);
            }
            Ok(heard)
        });
        Self { url, heard }
    }

    pub(super) async fn heard(self) -> Vec<Value> {
        self.heard.await.unwrap().unwrap()
    }
}

async fn serve(stream: TcpStream, answer: Answer) -> io::Result<Value> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = serde_json::from_slice(&body)?;
    if let Some((status, answer)) = answer(&body) {
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\nconnection: close\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all((head + &answer).as_bytes()).await?;
    }
    Ok(body)
}
