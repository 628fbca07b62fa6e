//! The cheapest HTTP client there is, so that a measurement shows the server: one connection that stays open.

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

pub struct Connection {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), request: Vec::new(), answer: Vec::new() })
    }

    /// The body of the answer to JSON; an error unless it is good.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> Result<&str> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: \
            {}\r\n\r\n",
            body.len()
        );
        self.request.clear();
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        self.stream.get_mut().write_all(&self.request).await?;
        let (status, length) = self.head().await?;
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer).await?;
        let answer = std::str::from_utf8(&self.answer)?;
        ensure!(status.contains(" 20"), "{status}: {answer}");
        Ok(answer)
    }

    /// The status line, and how long the body is.
    async fn head(&mut self) -> Result<(String, usize)> {
        let mut status = String::new();
        let mut length = None;
        self.stream.read_line(&mut status).await?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.parse()?)
                }
                Some(_) => {}
                None => break,
            }
        }
        Ok((status.trim_end().to_owned(), length.context("an answer without content-length")?))
    }
}
