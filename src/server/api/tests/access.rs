use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::SecretString;

use super::{Server, answer, assert_refused};
use clawpool_core::config::{Config, Scope, Token};

const EVERYTHING: [(Method, &str, &[Scope]); 29] = [
    (Method::POST, "/v1/tasks", &[Scope::Enqueue]),
    (Method::POST, "/v1/explain", &[Scope::Enqueue]),
    (Method::GET, "/v1/tasks", &[Scope::Read]),
    (Method::GET, "/v1/tasks/00000000-0000-0000-0000-000000000001", &[Scope::Read, Scope::Enqueue]),
    (Method::DELETE, "/v1/tasks/00000000-0000-0000-0000-000000000001", &[Scope::Enqueue]),
    (Method::POST, "/v1/tasks/00000000-0000-0000-0000-000000000001/run", &[Scope::Admin]),
    (Method::GET, "/v1/queues", &[Scope::Read]),
    (Method::POST, "/v1/queues/high/pause", &[Scope::Admin]),
    (Method::POST, "/v1/queues/high/resume", &[Scope::Admin]),
    (Method::GET, "/v1/dead", &[Scope::Read]),
    (Method::GET, "/v1/dead/export", &[Scope::Read]),
    (Method::POST, "/v1/dead/requeue", &[Scope::Admin]),
    (Method::POST, "/v1/dead/discard", &[Scope::Admin]),
    (Method::GET, "/v1/scheduled", &[Scope::Read]),
    (Method::GET, "/v1/workers", &[Scope::Read]),
    (Method::GET, "/v1/workers/crashes", &[Scope::Read]),
    (Method::POST, "/v1/pools/default/restart", &[Scope::Admin]),
    (Method::GET, "/v1/hosts", &[Scope::Read]),
    (Method::GET, "/v1/alerts", &[Scope::Read]),
    (Method::GET, "/v1/sla", &[Scope::Read]),
    (Method::GET, "/v1/figures", &[Scope::Read]),
    (Method::GET, "/v1/autoscaler", &[Scope::Read]),
    (Method::GET, "/v1/autoscaler/history", &[Scope::Read]),
    (Method::POST, "/v1/autoscaler/pause", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/resume", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/main/pause", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/main/resume", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/main/scale", &[Scope::Admin]),
    (Method::GET, "/metrics", &[Scope::Read]),
];

pub(super) fn guarded() -> Config {
    let token = |name: &str, scope| Token {
        name: name.into(),
        secret: SecretString::from(name),
        scopes: vec![scope],
        tenants: vec![],
    };
    let mut config = Config::default();
    config.api.tokens = vec![
        token("one-enqueue-token", Scope::Enqueue),
        token("one-read-token", Scope::Read),
        token("one-admin-token", Scope::Admin),
    ];
    config
}

#[tokio::test]
async fn every_route_asks_for_its_scope_and_no_other_opens_it() {
    let server = Server::cut_off(guarded()).await;
    for (method, path, allowed) in EVERYTHING {
        let scopes = [("enqueue", Scope::Enqueue), ("read", Scope::Read), ("admin", Scope::Admin)];
        for (name, scope) in scopes {
            let request = server.request(method.clone(), path).bearer_auth(format!("one-{name}-token"));
            let request = request.header("content-type", "application/json").body(r#"{"kind":"a"}"#);
            let (status, body) = answer(request.send().await.unwrap()).await;
            assert_eq!(
                status != 403,
                allowed.contains(&scope),
                "{method} {path} with {name}: {status} {body}"
            );
            assert_ne!(status, 401);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_without_a_token_get_nothing_but_health() {
    let server = Server::cut_off(guarded()).await;
    let ask = async |method: &Method, path: &str, header: Option<&str>| {
        let mut request = server.request(method.clone(), path);
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_refused(&answer(response).await, 401, "CP-1404", None);
    };
    // Together, because each wrong token is answered later.
    let headers =
        [None, Some("Bearer one-read-toke"), Some("Bearer one-read-token1"), Some("Basic eDp5"), Some("x")];
    let asked =
        EVERYTHING.iter().flat_map(|(method, path, _)| headers.map(|header| ask(method, path, header)));
    futures::future::join_all(asked).await;
    let (_, health) = server.call(Method::GET, "/health").await;
    // Who did not say who they are learn no reasons.
    assert_eq!(health["services"]["store"], "down");
    server.stop().await;
}

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
    for (method, path, _) in EVERYTHING.iter().filter(|(method, ..)| *method != Method::GET) {
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
    let server = Server::cut_off(guarded()).await;
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
            assert_eq!(request.send().await.unwrap().status(), 503, "the store is away");
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
