//! Who may hold a stream, how many, and until when.

use reqwest::Method;
use serde_json::json;

use super::{Listener, restart};
use crate::api::tests::{
    answer, assert_refused,
    pool::Pool,
    route_table::{guarded, secret},
};
use clawpool_core::config::{Config, Scope};

async fn listen(pool: &Pool, query: &str, token: &str) -> Listener {
    let request = pool.request(Method::GET, &format!("/v1/events?{query}")).bearer_auth(token);
    Listener::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn beyond_the_cap_streams_are_refused_and_others_enter() {
    let mut config = Config::default();
    config.api.streams = 2;
    let pool = Pool::start(config).await;
    let one = Listener::open(&pool, "topics=audit").await;
    let mut other = Listener::open(&pool, "topics=queues").await;
    let refused = pool.request(Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_refused(&answer(refused).await, 503, "CP-1430", None);
    pool.enqueue(&json!({"kind": "a"})).await;
    let (_, page) = pool.call(Method::GET, "/metrics").await;
    assert!(page.as_str().unwrap().contains("\nclawpool_event_streams 2\n"), "{page}");
    drop(one);
    // Its end is seen when the next bytes cannot be sent.
    pool.store.append(None, &[restart(0)]).await.unwrap();
    loop {
        let again = pool.request(Method::GET, "/v1/events?topics=queues").send().await.unwrap();
        if again.status() == 200 {
            break;
        }
        other.next().await.unwrap();
        pool.enqueue(&json!({"kind": "a"})).await;
    }
    drop(other);
    pool.stop().await;
}

#[tokio::test]
async fn a_quarter_of_the_connections_is_never_for_streams() {
    let mut config = Config::default();
    config.api.connections = 4;
    let pool = Pool::start(config).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(Listener::open(&pool, "topics=health").await);
    }
    let (status, _) = pool.call(Method::GET, "/v1/events").await;
    assert_eq!(status, 503);
    assert_eq!(pool.call(Method::GET, "/v1/queues").await.0, 200);
    drop(open);
    pool.stop().await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams_and_no_other() {
    let pool = Pool::start(guarded()).await;
    let admin = secret(Scope::Admin);
    let make = async |token: serde_json::Value| {
        let request = pool.request(Method::POST, "/v1/tokens").bearer_auth(&admin).json(&token);
        let (status, made) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 201, "{made}");
        made["secret"].as_str().unwrap().to_owned()
    };
    let shop = make(json!({"name": "shop", "scopes": ["read"]})).await;
    let brief = make(json!({"name": "brief", "scopes": ["read"], "ttl": "3s"})).await;
    let mut expiring = listen(&pool, "topics=audit", &brief).await;
    let mut revoked =
        [listen(&pool, "topics=audit", &shop).await, listen(&pool, "topics=pools", &shop).await];
    let mut stays = listen(&pool, "topics=audit", &secret(Scope::Read)).await;
    let request = pool.request(Method::DELETE, "/v1/tokens/shop").bearer_auth(&admin);
    assert_eq!(request.send().await.unwrap().status(), 200);
    for listener in revoked.iter_mut().chain([&mut expiring]) {
        let end = listener.named("end").await;
        assert_eq!(end.data["reason"], "token");
        assert!(listener.next().await.is_none());
    }
    assert_eq!(stays.named("audit").await.data["item"]["verb"], "token.revoke");
    drop(stays);
    pool.stop().await;
}

#[tokio::test]
async fn a_token_for_some_queues_hears_of_no_others() {
    let pool = Pool::start(guarded()).await;
    let limited = json!({"name": "acme", "scopes": ["read"], "queues": ["high.*"]});
    let request = pool.request(Method::POST, "/v1/tokens").bearer_auth(secret(Scope::Admin)).json(&limited);
    let (_, made) = answer(request.send().await.unwrap()).await;
    let token = made["secret"].as_str().unwrap();
    for topic in ["audit", "alerts", "crashes", "restarts", "workers", "scaling", "pools"] {
        let request = pool.request(Method::GET, &format!("/v1/events?topics={topic}")).bearer_auth(token);
        assert_refused(&answer(request.send().await.unwrap()).await, 403, "CP-1405", None);
    }
    let mut limited = listen(&pool, "", token).await;
    let mut all = listen(&pool, "topics=queues", &secret(Scope::Read)).await;
    let first = limited.named("queues").await;
    let shown = first.data["items"].as_array().unwrap();
    assert!(shown.iter().all(|item| item["queue"].as_str().unwrap().starts_with("high.")), "{first:?}");
    assert_eq!(shown.len(), 2);
    assert_eq!(all.next().await.unwrap().data["items"].as_array().unwrap().len(), 7);
    let operate = async |queue: &str| {
        let path = format!("/v1/queues/{queue}/pause");
        pool.request(Method::POST, &path).bearer_auth(secret(Scope::Operate)).send().await.unwrap()
    };
    operate("background").await;
    assert_eq!(all.next().await.unwrap().data["items"][0]["queue"], "background");
    operate("high.p3").await;
    let change = limited.named("queues").await;
    assert_eq!(change.data["items"][0]["queue"], "high.p3", "nothing of the other one: {change:?}");
    drop((limited, all));
    pool.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let pool = Pool::start(Config::default()).await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    let mut streams = [Listener::open(&pool, "").await, Listener::open(&pool, &format!("task={id}")).await];
    let stopping = tokio::spawn(pool.stop());
    for listener in &mut streams {
        assert_eq!(listener.named("end").await.data["reason"], "stopping");
        assert!(listener.next().await.is_none());
    }
    stopping.await.unwrap();
}
