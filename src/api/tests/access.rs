use reqwest::Method;
use secrecy::SecretString;

use super::{Server, answer, assert_refused};
use crate::config::{Config, Scope, Token};

const EVERYTHING: [(Method, &str, &[Scope]); 26] = [
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
    (Method::GET, "/v1/alerts", &[Scope::Read]),
    (Method::GET, "/v1/autoscaler", &[Scope::Read]),
    (Method::GET, "/v1/autoscaler/history", &[Scope::Read]),
    (Method::POST, "/v1/autoscaler/pause", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/resume", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/main/pause", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/main/resume", &[Scope::Admin]),
    (Method::POST, "/v1/autoscaler/main/scale", &[Scope::Admin]),
    (Method::GET, "/metrics", &[Scope::Read]),
];

fn guarded() -> Config {
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
            assert_eq!(status != 403, allowed.contains(&scope), "{method} {path} with {name}: {status} {body}");
            assert_ne!(status, 401);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn strangers_get_nothing_but_health() {
    let server = Server::cut_off(guarded()).await;
    for (method, path, _) in EVERYTHING {
        for header in
            [None, Some("Bearer one-read-toke"), Some("Bearer one-read-token1"), Some("Basic eDp5"), Some("x")]
        {
            let mut request = server.request(method.clone(), path);
            if let Some(value) = header {
                request = request.header("authorization", value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            assert_refused(&answer(response).await, 401, "CP-1404", None);
        }
    }
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
    ] {
        let request = server.request(Method::POST, "/v1/explain").header(name, value);
        let request = request.header("content-type", "application/json").body(r#"{"kind":"a"}"#);
        let (status, body) = answer(request.send().await.unwrap()).await;
        assert_eq!(status == 403, refused, "{name}: {value}: {body}");
    }
    server.stop().await;
}
