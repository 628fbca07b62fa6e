//! Bodies that come slowly or not at all.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{Server, answer, route_table::guarded};

const PATIENCE: Duration = Duration::from_secs(60);

/// Announces a body of this length, and sends one byte of it.
async fn half(server: &Server, token: &str, length: usize) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n[",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(stream)
}

async fn status(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    timeout(PATIENCE, stream.read_line(&mut line)).await.expect("no answer").unwrap();
    line.trim_end().to_owned()
}

/// A small task: 503 of the store that is away, and no other, means that it was let in.
async fn is_let_in(server: &Server) -> bool {
    let request = server.request(Method::POST, "/v1/tasks").bearer_auth("one-enqueue-token");
    let request = request.header("content-type", "application/json").body(r#"{"kind":"a"}"#);
    answer(request.send().await.unwrap()).await.1["code"] == "CP-1301"
}

#[tokio::test]
async fn who_may_not_enqueue_is_refused_before_a_body_has_room() {
    let server = Server::cut_off(guarded()).await;
    let mut halves = Vec::new();
    for _ in 0..8 {
        halves.push(half(&server, "one-read-token", 64 << 20).await);
    }
    assert!(is_let_in(&server).await);
    for half in &mut halves {
        assert_eq!(status(half).await, "HTTP/1.1 403 Forbidden");
    }
    server.stop().await;
}

#[tokio::test]
async fn long_bodies_keep_no_short_ones_out_and_must_come_in_time() {
    let server = Server::cut_off(guarded()).await;
    let mut halves = Vec::new();
    for _ in 0..5 {
        halves.push(half(&server, "one-enqueue-token", 64 << 20).await);
    }
    let ends = join_all(halves.iter_mut().map(status));
    let (ends, let_in) = tokio::join!(ends, is_let_in(&server));
    assert!(let_in);
    // Those that had room and did not use it, and those that waited for it in vain.
    let count = |end: &str| ends.iter().filter(|status| status.as_str() == end).count();
    let late = count("HTTP/1.1 408 Request Timeout");
    let busy = count("HTTP/1.1 503 Service Unavailable");
    assert!(late >= 1 && busy >= 1 && late + busy == 5, "{ends:?}");
    server.stop().await;
}
