use std::time::{Duration, Instant};

use reqwest::Method;

use super::{
    Server, answer, assert_refused,
    pool::Pool,
    route_table::{Row, TABLE, guarded},
};
use clawpool_core::config::Config;

#[tokio::test]
async fn choosing_a_priority_needs_its_scope() {
    let server = Server::cut_off(guarded()).await;
    let request = server.request(Method::POST, "/v1/explain").bearer_auth("one-enqueue-token");
    let request = request.header("content-type", "application/json").body(r#"{"kind":"a","priority":"P0"}"#);
    assert_refused(&answer(request.send().await.unwrap()).await, 403, "CP-1117", Some("priority"));
    server.stop().await;
}

#[tokio::test]
async fn web_pages_of_other_origins_are_refused() {
    let server = Server::cut_off(Config::default()).await;
    let own = format!("http://{}", server.address);
    for (name, value, refused) in [
        ("origin", "https://evil.example", true),
        ("origin", "http://localhost:1", true),
        ("origin", "null", true),
        ("origin", own.as_str(), false),
        ("host", "evil.example", true),
        ("host", "rebound.example:7070", true),
        ("host", "localhost:7070", false),
        ("sec-fetch-site", "cross-site", true),
        ("sec-fetch-site", "same-site", true),
        ("sec-fetch-site", "same-origin", false),
        ("sec-fetch-site", "none", false),
    ] {
        let request = server.request(Method::POST, "/v1/explain").header(name, value);
        let request = request.header("content-type", "application/json").body(r#"{"kind":"a"}"#);
        let (status, body) = answer(request.send().await.unwrap()).await;
        assert_eq!(status == 403, refused, "{name}: {value}: {body}");
    }
    server.stop().await;
}

/// A page may send text and forms to any address without asking; nothing that changes anything reads them.
#[tokio::test]
async fn every_route_that_changes_something_looks_at_the_content_type() {
    let server = Server::cut_off(Config::default()).await;
    for Row { method, asked: path, .. } in TABLE.iter().filter(|row| row.method != Method::GET) {
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
        {
            let request =
                server.request(method.clone(), path).header("content-type", content_type).body("a=b");
            assert_refused(&answer(request.send().await.unwrap()).await, 415, "CP-1410", None);
        }
        // The command line sends its orders without a body.
        let (status, body) = server.call(method.clone(), path).await;
        assert_ne!(status, 415, "{method} {path}: {body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn headers_that_contradict_one_another_are_refused() {
    let open = Server::cut_off(Config::default()).await;
    let server = Server::cut_off(guarded()).await;
    for server in [&open, &server] {
        for (line, headers) in [
            ("GET /health", "host: localhost\r\nhost: localhost"),
            ("GET /health", "host: localhost\r\nhost: evil.example"),
            ("GET http://localhost/health", "host: evil.example"),
            ("GET /v1/queues", "host: localhost\r\nauthorization: Bearer a\r\nauthorization: Bearer b"),
            ("GET /v1/queues", "host: localhost\r\norigin: http://localhost\r\norigin: http://evil.example"),
            (
                "POST /v1/tasks",
                "host: localhost\r\ncontent-type: application/json\r\ncontent-type: text/plain",
            ),
        ] {
            let said =
                raw(&server.address, &format!("{line} HTTP/1.1\r\n{headers}\r\nconnection: close\r\n\r\n"))
                    .await;
            assert!(
                said.starts_with("HTTP/1.1 400") && said.contains("CP-1401"),
                "{line}, {headers}: {said}"
            );
        }
    }
    open.stop().await;
    server.stop().await;
}

async fn raw(address: &str, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

/// What an honest client sends meanwhile is not kept waiting.
#[tokio::test]
async fn guessing_is_slowed_and_a_right_token_is_not() {
    let server = Pool::start(guarded()).await;
    let guess = async || {
        let begun = Instant::now();
        let request = server.request(Method::GET, "/v1/queues").bearer_auth("a-guess");
        assert_refused(&answer(request.send().await.unwrap()).await, 401, "CP-1404", None);
        begun.elapsed()
    };
    for _ in 0..7 {
        guess().await;
    }
    let honest = async {
        let mut answered = 0;
        loop {
            let request = server.request(Method::GET, "/v1/queues").bearer_auth("one-read-token");
            assert_eq!(request.send().await.unwrap().status(), 200);
            answered += 1;
            if answered == 3 {
                return;
            }
        }
    };
    let (waited, ()) = tokio::join!(guess(), honest);
    assert!(waited >= Duration::from_millis(900), "{waited:?}");
    server.stop().await;
}
