//! What `/health` and the alerts say when a server answers and takes nothing, or does not answer any more.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Server, pool::Pool};
use clawpool_backends::{
    backend::redis::testing::server::Server as Redis,
    broker::redis::RedisBroker,
    store::{conformance::eventually, redis::RedisStore},
};
use clawpool_core::config::Config;

async fn on(redis: &Redis) -> Server {
    let mut config = redis.config(Config::default());
    config.redis.timeout = std::time::Duration::from_secs(1);
    let store = Arc::new(RedisStore::open(&config).await.unwrap());
    Server::start(config.clone(), Arc::new(RedisBroker::open(&config).await.unwrap()), store).await
}

async fn events(server: &Server) -> Vec<Value> {
    let (status, page) = server.call(Method::GET, "/v1/alerts").await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().iter().map(|alert| alert["event"].clone()).collect()
}

async fn status(server: &Server) -> Value {
    server.call(Method::GET, "/health").await.1
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_told_and_the_alert_is_written_when_it_does() {
    let redis = Redis::start(&[]).await;
    let server = on(&redis).await;
    server.health.check().await;
    assert_eq!(status(&server).await["status"], "healthy");
    let limit = async |bytes: &str| {
        let answer: Option<String> = redis.ask("CONFIG", &["SET", "maxmemory", bytes]).await;
        assert_eq!(answer.as_deref(), Some("OK"));
    };
    limit("1").await;
    server.health.check().await;
    server.health.check().await;
    let body = status(&server).await;
    assert_eq!((&body["status"], &body["services"]["store"]), (&json!("degraded"), &json!("up")), "{body}");
    assert!(body["reasons"][0]["text"].as_str().is_some_and(|text| text.contains("OOM")), "{body}");
    assert_eq!(body["reasons"][0]["code"], "CP-1620");
    assert_eq!(server.health.alerts().unsaved().len(), 1, "Redis takes no alert either");
    assert_eq!(events(&server).await, ["store_trouble"], "the dispatcher that knows it shows it");
    limit("0").await;
    server.health.check().await;
    assert_eq!(status(&server).await["status"], "healthy");
    assert!(server.health.alerts().unsaved().is_empty());
    assert_eq!(events(&server).await, ["store_trouble"], "it is in the journal");
    server.stop().await;
}

#[tokio::test]
async fn a_redis_that_is_gone_is_told_by_an_alert_that_outlives_its_absence() {
    let mut redis = Redis::start(&[]).await;
    let server = on(&redis).await;
    redis.kill();
    server.health.check().await;
    server.health.check().await;
    let body = status(&server).await;
    assert_eq!(body["status"], "unhealthy", "{body}");
    assert_eq!(body["reasons"][0]["event"], "store_trouble", "{body}");
    assert_eq!(events(&server).await, ["store_trouble"], "shown, though nothing can be asked of the store");
    redis.start_again().await;
    eventually(async || {
        server.health.check().await;
        status(&server).await["status"] == "healthy" && server.health.alerts().unsaved().is_empty()
    })
    .await;
    assert_eq!(events(&server).await, ["store_trouble"]);
    server.stop().await;
}

#[tokio::test]
async fn a_file_without_room_is_told() {
    let pool = Pool::start(Config::default()).await;
    pool.fill_up().await;
    let mut refused = 0;
    while refused < 3 {
        let task = json!({"kind": "email.send", "payload": "x".repeat(50_000)});
        let (status, body) = pool.post_json("/v1/tasks", task.to_string()).await;
        refused += u32::from(status == 503);
        assert!(status == 503 || status == 201, "{body}");
    }
    pool.health.check().await;
    let body = status(&pool).await;
    assert_eq!(body["status"], "degraded", "{body}");
    assert!(
        body["reasons"][0]["text"].as_str().is_some_and(|text| text.contains("no space is left")),
        "{body}"
    );
    let task = json!({"kind": "email.send", "payload": "x".repeat(50_000)});
    assert_eq!(pool.post_json("/v1/tasks", task.to_string()).await.0, 503);
    pool.health.check().await;
    assert_eq!(events(&pool).await, ["store_trouble"]);
    pool.stop().await;
}
