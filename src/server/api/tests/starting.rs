//! What a dispatcher answers before its servers are there.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::answer;
use crate::api::{Api, Awaited, Entrance};
use clawpool_backends::path;
use clawpool_core::config::Config;
use clawpool_engine::dispatch::Producer;

const PATIENCE: Duration = Duration::from_secs(60);

async fn api() -> (Api, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.embedded.data = folder.path().into();
    let path::Servers { broker, store, path } = path::open(&config).await.unwrap();
    let producer = Producer::new(&config, path, Arc::clone(&store));
    (Api::new(producer, broker, store, Arc::new(config)), folder)
}

struct Door {
    entrance: Entrance,
    http: Client,
}

impl Door {
    async fn open(patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { entrance: Entrance::patient(listener, None, 100, patience).unwrap(), http: Client::new() }
    }

    fn ask(&self, method: Method, path: &str) -> JoinHandle<Response> {
        let url = format!("http://{}{path}", self.entrance.address());
        let request = self.http.request(method, url).json(&json!({"kind": "email.send"}));
        tokio::spawn(async move { request.send().await.unwrap() })
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = answer(self.ask(Method::GET, path).await.unwrap()).await;
        (status.as_u16(), body)
    }
}

#[tokio::test]
async fn a_dispatcher_that_starts_says_so_at_once_and_lives() {
    let door = Door::open(PATIENCE).await;
    let (code, body) = door.get("/health").await;
    assert_eq!((code, &body["status"]), (503, &json!("starting")), "{body}");
    let server = "redis".to_owned();
    door.entrance.tell(Awaited { server, code: "CP-1301", reason: Some("it is away".into()) });
    let body = door.get("/health").await.1;
    assert_eq!(body["waiting_for"], "redis", "{body}");
    assert_eq!(body["services"], json!({"redis": "down: it is away"}));
    assert_eq!(body["instance_id"], door.get("/health").await.1["instance_id"], "one process");
    let (code, body) = door.get("/readyz").await;
    assert_eq!((code, &body["ready"]), (503, &json!(false)), "{body}");
    assert!(body["reasons"][0].as_str().unwrap().contains("waits for redis: it is away"), "{body}");
    assert_eq!(door.get("/livez").await.0, 200);
}

#[tokio::test]
async fn other_requests_wait_a_moment_and_are_then_refused() {
    let door = Door::open(Duration::from_millis(50)).await;
    let response = door.ask(Method::POST, "/v1/tasks").await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    let (_, body) = answer(response).await;
    assert_eq!(body["code"], "CP-1301", "{body}");
    assert!(body["message"].as_str().unwrap().contains("is starting"), "{body}");
}

/// Nobody who sends a task to a dispatcher that restarts is to be refused it for a moment's sake.
#[tokio::test]
async fn a_request_that_came_before_the_servers_is_answered_by_them() {
    let (api, _folder) = api().await;
    let door = Door::open(PATIENCE).await;
    let early = door.ask(Method::POST, "/v1/tasks");
    // Over a connection of its own, which is the second.
    door.get("/health").await;
    let instance = door.get("/health").await.1["instance_id"].clone();
    let stop = tokio_util::sync::CancellationToken::new();
    let Door { entrance, http } = door;
    let address = entrance.address();
    let serving = tokio::spawn(entrance.serve(api, stop.clone()));
    let response = early.await.unwrap();
    assert_eq!(response.status(), 201);
    let health = http.get(format!("http://{address}/health")).send().await.unwrap();
    let (_, body) = answer(health).await;
    assert_eq!((&body["status"], &body["instance_id"]), (&json!("healthy"), &instance), "{body}");
    stop.cancel();
    drop(http);
    serving.await.unwrap().unwrap();
}
