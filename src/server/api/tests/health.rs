//! What `/health` and the alerts say when a server answers and takes nothing, or does not answer any more.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Server, down::Down, pool::Pool};
use clawpool_backends::{
    backend::redis::testing::server::Server as Redis,
    broker::redis::RedisBroker,
    store::{conformance::eventually, redis::RedisStore, sqlite::SqliteStore},
};
use clawpool_core::config::{Backend, Config, Lanes, Layer, Probe, ProbeClass, Profile};

async fn on(redis: &Redis) -> Server {
    let all = Backend::Redis;
    let lanes = Lanes { critical: all, high: all, normal: all, background: all };
    let mut config = redis.config(Config { profile: Profile::Cluster, lanes, ..Config::default() });
    config.redis.timeout = Duration::from_secs(1);
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
    assert_eq!(body["status"], "degraded", "{body}");
    for name in ["store", "broker", "redis"] {
        let state = body["services"][name].as_str().unwrap();
        assert!(state.starts_with("degraded: ") && state.contains("OOM"), "{name}: {body}");
    }
    let (code, ready) = server.call(Method::GET, "/readyz").await;
    assert_eq!((code.as_u16(), &ready["ready"]), (503, &json!(false)), "{ready}");
    assert!(ready["reasons"][0].as_str().is_some_and(|reason| reason.starts_with("redis is degraded: ")));
    assert_eq!(server.call(Method::GET, "/livez").await.0, 200);
    assert_eq!(body["reasons"][0]["subject"], "redis");
    assert!(body["reasons"][0]["text"].as_str().is_some_and(|text| text.contains("OOM")), "{body}");
    assert_eq!(body["reasons"][0]["code"], "CP-1620");
    assert_eq!(server.health.alerts().unsaved().len(), 1, "Redis takes no alert either");
    assert_eq!(events(&server).await, ["store_trouble"], "the dispatcher that knows it shows it");
    limit("0").await;
    server.health.check().await;
    assert_eq!(status(&server).await["status"], "healthy");
    assert_eq!(server.call(Method::GET, "/readyz").await.0, 200);
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
        body["services"]["sqlite"].as_str().is_some_and(|state| state.starts_with("degraded: ")),
        "{body}"
    );
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

#[tokio::test]
async fn health_has_the_figures_of_the_machine_the_process_and_the_queues() {
    let pool = Pool::start(Config::default()).await;
    pool.enqueue(&json!({"kind": "email.send"})).await;
    let body = status(&pool).await;
    assert_eq!(body["status"], "healthy", "{body}");
    assert_eq!(body["services"], json!({"broker": "up", "sqlite": "up", "store": "up"}));
    let metrics = &body["metrics"];
    assert_eq!((&metrics["queue_depth"], &metrics["active_connections"]), (&json!(1), &json!(1)), "{body}");
    assert!(metrics["memory_percent"].as_f64().is_some_and(|percent| percent > 0.0), "{body}");
    assert!(metrics.get("cpu_percent").is_some() && metrics.get("disk_percent").is_some(), "{body}");
    assert_eq!(body["loops"], json!({"running": 0, "healthy": 0}), "nobody watches in this test");
    assert!(body["age_ms"].is_u64() && body["instance_id"].is_string(), "{body}");
    pool.stop().await;
}

/// There may be any number of them.
#[tokio::test]
async fn an_idle_queue_costs_its_broker_no_question() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.embedded.data = folder.path().into();
    let store = Arc::new(SqliteStore::open(&config).await.unwrap());
    let server = Server::start(config, Arc::new(Down), store).await;
    let body = status(&server).await;
    assert_eq!(body["metrics"]["queue_depth"], 0, "the broker answers nothing: {body}");
    assert_eq!((&body["services"]["store"], &body["services"]["sqlite"]), (&json!("up"), &json!("up")));
    assert!(body["services"]["broker"].as_str().unwrap().starts_with("down: "), "{body}");
    server.stop().await;
}

/// Probes of load balancers come every second: none of them is to cost the servers anything.
#[tokio::test]
async fn what_was_found_a_moment_ago_is_not_looked_for_again() {
    let pool = Pool::start(Config::default()).await;
    pool.health.check().await;
    let found = pool.health.findings().await.at;
    for path in ["/health", "/readyz", "/health"] {
        assert_eq!(pool.call(Method::GET, path).await.0, 200, "{path}");
    }
    assert_eq!(pool.health.findings().await.at, found);
    pool.stop().await;
}

#[tokio::test]
async fn a_queue_of_which_nothing_starts_beside_free_slots_is_told() {
    let mut config = Config::default();
    config.health.stalled = Duration::from_millis(200);
    let pool = Pool::start(config).await;
    pool.enqueue(&json!({"kind": "email.send"})).await;
    let look = async || {
        pool.health.check().await;
        status(&pool).await
    };
    let stalled = |body: &Value| body["reasons"][0]["event"] == "stalled";
    // Of the worker's four slots two are reserved for P0 and P1.
    pool.beat(2).await;
    let start = tokio::time::Instant::now();
    while start.elapsed() < Duration::from_millis(600) {
        let body = look().await;
        assert_eq!(body["status"], "healthy", "no slot is free: {body}");
    }
    pool.beat(1).await;
    eventually(async || stalled(&look().await)).await;
    let (code, body) = pool.call(Method::GET, "/health").await;
    assert_eq!((code.as_u16(), &body["status"]), (503, &json!("unhealthy")), "{body}");
    assert_eq!(
        (&body["reasons"][0]["subject"], &body["reasons"][0]["code"]),
        (&json!("normal.p4"), &json!("CP-1507"))
    );
    assert_eq!(pool.call(Method::GET, "/readyz").await.0, 200, "tasks are taken");
    pool.health.check().await;
    assert_eq!(events(&pool).await, ["stalled"]);
    // A pause is nobody's fault.
    pool.call(Method::POST, "/v1/queues/normal.p4/pause").await;
    eventually(async || look().await["status"] == "healthy").await;
    pool.stop().await;
}

#[tokio::test]
async fn what_a_user_names_is_probed_and_told() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = port.local_addr().unwrap().to_string();
    let crm = json!({"name": "crm", "layer": "tcp", "target": there, "class": "critical", "interval": "10ms",
        "timeout": "10s", "slow": "0s"});
    let probe = |name: &str, class| Probe {
        name: name.to_owned(),
        class,
        ..serde_json::from_value::<Probe>(crm.clone()).unwrap()
    };
    let probes = vec![probe("crm", Some(ProbeClass::Critical)), probe("extra", None)];
    let pool = Pool::start(Config { probes, ..Config::default() }).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let health = Arc::clone(&pool.health);
    let watching = tokio::spawn({
        let stop = stop.clone();
        async move { health.watch(&stop).await }
    });
    eventually(async || status(&pool).await["services"]["crm"] == "up").await;
    let body = status(&pool).await;
    assert_eq!(body["probes"][0]["layer"], json!(Layer::Tcp), "{body}");
    assert!(body["probes"][0]["took_ms"].is_u64() && body["probes"][1]["name"] == "extra", "{body}");
    assert_eq!(body["loops"], json!({"running": 1, "healthy": 1}), "its own watch: {body}");
    drop(port);
    // Nobody listens, and nobody else can: the system gives a free port to the next who asks.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.set_reuseaddr(true).unwrap();
    taken.bind(there.parse().unwrap()).unwrap();
    eventually(async || status(&pool).await["status"] == "unhealthy").await;
    let (code, body) = pool.call(Method::GET, "/health").await;
    assert_eq!(code, 503, "it is critical: {body}");
    assert!(body["services"]["crm"].as_str().unwrap().starts_with("down: no connection"), "{body}");
    assert!(body["probes"][0]["failures"].as_u64().unwrap() >= 3, "{body}");
    eventually(async || events(&pool).await.len() == 2).await;
    assert_eq!(events(&pool).await, ["service_down", "service_down"]);
    stop.cancel();
    watching.await.unwrap();
    pool.stop().await;
}
