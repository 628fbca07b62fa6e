//! Against a small API server of the test: real HTTP and the real client, but no cluster.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, patch},
};
use serde_json::{Value, json};

use super::*;

#[derive(Default)]
struct Pool {
    replicas: i64,
    version: u64,
    /// Name, cost, ending.
    pods: BTreeMap<String, (i64, bool)>,
    /// Others that write the scale between a reading and the next writing.
    other_writers: Vec<i64>,
    forbidden: bool,
}

type Shared = Arc<Mutex<Pool>>;

impl Pool {
    /// What the real controllers do with a new size: the lowest cost goes first.
    fn settle(&mut self) {
        let mut staying: Vec<_> = self.pods.iter().filter(|(_, (_, ending))| !ending).collect();
        staying.sort_by_key(|(_, (cost, _))| *cost);
        let too_many = staying.len().saturating_sub(usize::try_from(self.replicas).unwrap());
        let leaving: Vec<String> = staying.into_iter().take(too_many).map(|(name, _)| name.clone()).collect();
        for name in leaving {
            self.pods.get_mut(&name).unwrap().1 = true;
        }
        let missing = self.replicas - self.pods.values().filter(|(_, ending)| !ending).count() as i64;
        for _ in 0..missing {
            self.version += 1;
            self.pods.insert(format!("new-{}", self.version), (0, false));
        }
    }

    fn scale(&self) -> Value {
        json!({
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "spec": { "replicas": self.replicas },
            "metadata": {
                "name": "llm", "namespace": "shop", "resourceVersion": self.version.to_string(),
            },
        })
    }
}

fn refusal(status: StatusCode, reason: &str) -> Response {
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{reason} by the test"),
        "reason": reason,
        "code": status.as_u16(),
    });
    (status, Json(body)).into_response()
}

async fn deployment(State(pool): State<Shared>, Path(name): Path<String>) -> Response {
    let pool = pool.lock().unwrap();
    if pool.forbidden {
        return refusal(StatusCode::FORBIDDEN, "Forbidden");
    }
    if name != "llm" {
        return refusal(StatusCode::NOT_FOUND, "NotFound");
    }
    let spec = json!({ "replicas": pool.replicas, "selector": { "matchLabels": { "app": "llm" } },
                       "template": { "metadata": {}, "spec": { "containers": [] } } });
    Json(
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "llm" }, "spec": spec }),
    )
    .into_response()
}

async fn read_scale(State(pool): State<Shared>) -> Json<Value> {
    let mut pool = pool.lock().unwrap();
    let answer = pool.scale();
    if let Some(replicas) = pool.other_writers.pop() {
        pool.replicas = replicas;
        pool.version += 1;
        pool.settle();
    }
    Json(answer)
}

async fn write_scale(State(pool): State<Shared>, Json(scale): Json<Value>) -> Response {
    let mut pool = pool.lock().unwrap();
    if scale["metadata"]["resourceVersion"].as_str() != Some(&pool.version.to_string()) {
        return refusal(StatusCode::CONFLICT, "Conflict");
    }
    pool.replicas = scale["spec"]["replicas"].as_i64().unwrap();
    pool.version += 1;
    pool.settle();
    Json(pool.scale()).into_response()
}

fn pod(name: &str, (cost, ending): (i64, bool)) -> Value {
    let mut metadata = json!({ "name": name, "annotations": { pods::COST: cost.to_string() } });
    if ending {
        metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": { "phase": "Running" } })
}

async fn list(State(pool): State<Shared>) -> Json<Value> {
    let items: Vec<Value> = pool.lock().unwrap().pods.iter().map(|(name, state)| pod(name, *state)).collect();
    Json(json!({ "apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items }))
}

async fn annotate(State(pool): State<Shared>, Path(name): Path<String>, body: String) -> Json<Value> {
    let body: Value = serde_json::from_str(&body).unwrap();
    let cost = body["metadata"]["annotations"][pods::COST].as_str().map_or(0, |cost| cost.parse().unwrap());
    let mut pool = pool.lock().unwrap();
    let state = pool.pods.get_mut(&name).unwrap();
    state.0 = cost;
    Json(pod(&name, *state))
}

async fn delete(State(pool): State<Shared>, Path(name): Path<String>) -> Json<Value> {
    let mut pool = pool.lock().unwrap();
    let state = pool.pods.remove(&name).unwrap();
    pool.settle();
    Json(pod(&name, state))
}

async fn driver(pool: &Shared, deployment_name: &str) -> Kubernetes {
    let deployments = "/apis/apps/v1/namespaces/shop/deployments/{name}";
    let router = Router::new()
        .route(deployments, get(deployment))
        .route(&format!("{deployments}/scale"), get(read_scale).put(write_scale))
        .route("/api/v1/namespaces/shop/pods", get(list))
        .route("/api/v1/namespaces/shop/pods/{name}", patch(annotate).delete(delete))
        .with_state(Arc::clone(pool));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = kube::Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let cluster = Cluster::of("llm", "shop", kube::Client::try_from(config).unwrap());
    Kubernetes { cluster, deployment: deployment_name.to_owned() }
}

fn pool(names: &[&str]) -> Shared {
    let pods = names.iter().map(|name| ((*name).to_owned(), (0, false))).collect();
    Arc::new(Mutex::new(Pool { replicas: names.len() as i64, pods, ..Pool::default() }))
}

async fn draining(driver: &Kubernetes) -> Vec<String> {
    let replicas = driver.replicas().await.unwrap();
    replicas.into_iter().filter(|replica| replica.draining).map(|replica| replica.host.unwrap()).collect()
}

#[tokio::test]
async fn the_chosen_pods_leave_and_no_others() {
    let pool = pool(&["a", "b", "c", "d"]);
    let driver = driver(&pool, "llm").await;
    assert_eq!(driver.replicas().await.unwrap().len(), 4);
    driver.drain(&[ReplicaId("c".into()), ReplicaId("b".into())]).await.unwrap();
    assert_eq!(draining(&driver).await, ["b", "c"]);
    assert_eq!(pool.lock().unwrap().replicas, 2);
    driver.drain(&[ReplicaId("c".into())]).await.unwrap();
    assert_eq!(pool.lock().unwrap().replicas, 2, "told twice, counted once");
}

#[tokio::test]
async fn growing_adds_to_the_size_that_holds_now() {
    let pool = pool(&["a", "b"]);
    let driver = driver(&pool, "llm").await;
    pool.lock().unwrap().other_writers = vec![5];
    driver.start(3).await.unwrap();
    assert_eq!(pool.lock().unwrap().replicas, 8, "another writer's 5 between reading and writing, and 3");
    assert_eq!(driver.replicas().await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_mark_that_was_not_followed_does_not_compete_with_the_next_choice() {
    let pool = pool(&["a", "b", "c"]);
    pool.lock().unwrap().pods.insert("a".into(), (-1000, false));
    let driver = driver(&pool, "llm").await;
    assert_eq!(draining(&driver).await, [""; 0]);
    driver.drain(&[ReplicaId("c".into())]).await.unwrap();
    assert_eq!(draining(&driver).await, ["c"]);
}

#[tokio::test]
async fn replacing_deletes_and_the_deployment_starts_anew() {
    let pool = pool(&["a", "b"]);
    let driver = driver(&pool, "llm").await;
    driver.replace(&[ReplicaId("a".into())]).await.unwrap();
    let replicas = driver.replicas().await.unwrap();
    assert_eq!(replicas.len(), 2);
    assert!(replicas.iter().all(|replica| replica.id.0 != "a"));
}

#[tokio::test]
async fn refusals_name_the_fix() {
    let pool = pool(&["a"]);
    let missing = driver(&pool, "lml").await.replicas().await.unwrap_err();
    assert!(!missing.is_retryable());
    assert!(
        missing.to_string().contains("\"lml\"") && missing.to_string().contains("create it"),
        "{missing}"
    );
    pool.lock().unwrap().forbidden = true;
    let forbidden = driver(&pool, "llm").await.replicas().await.unwrap_err();
    assert!(forbidden.to_string().contains("deployments/scale: get, update"), "{forbidden}");
}
