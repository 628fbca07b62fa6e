use clawpool_backends::store::{Page, Record, WorkerInfo};
use clawpool_core::task::TaskId;
use clawpool_engine::client::view::DeadDetail;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::until;

/// Asks a dispatcher over HTTP, as any producer would.
#[derive(Clone)]
pub struct Api {
    http: Client,
    pub url: String,
}

impl Api {
    pub fn new(url: impl Into<String>) -> Self {
        clawpool_backends::install_tls();
        Self { http: Client::builder().no_proxy().build().unwrap(), url: url.into() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.url))
    }

    /// Whether it is there and has its servers.
    pub async fn serves(&self) -> bool {
        let answer = self.request(Method::GET, "v1/workers").send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Status and JSON body of an answer.
    pub async fn ask(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(self.request(Method::POST, path).json(body)).await
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.request(Method::GET, path).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("GET {path}: {status} {text}: {error}"))
    }

    /// Until it is accepted: 503 means later, for example while RabbitMQ still sets a new queue up.
    pub async fn enqueue(&self, task: Value) -> TaskId {
        until(&format!("an answer to {task}"), async || {
            let (status, answer) = self.post("v1/tasks", &task).await;
            assert!(
                status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE,
                "{task}: {status} {answer}"
            );
            status.is_success().then(|| id(&answer))
        })
        .await
    }

    /// The same for many.
    pub async fn enqueue_all(&self, mut tasks: Vec<Value>) -> Vec<TaskId> {
        let mut ids = Vec::new();
        while !tasks.is_empty() {
            let (status, lines) = self.post("v1/tasks", &Value::from(tasks.clone())).await;
            assert!(status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE, "{status} {lines}");
            let Value::Array(lines) = lines else { continue };
            let (accepted, refused): (Vec<_>, Vec<_>) =
                lines.into_iter().zip(tasks).partition(|(line, _)| line.get("id").is_some());
            ids.extend(accepted.iter().map(|(line, _)| id(line)));
            assert!(refused.iter().all(|(line, _)| line["error"]["retry_after_s"].is_u64()), "{refused:?}");
            tasks = refused.into_iter().map(|(_, task)| task).collect();
        }
        ids
    }

    /// The accepted ids of a batch. Without an answer nothing is known, and nothing is claimed.
    pub async fn offer(&self, tasks: Vec<Value>) -> Option<Vec<TaskId>> {
        let response = self.request(Method::POST, "v1/tasks").json(&tasks).send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let lines: Vec<Value> = response.json().await.ok()?;
        Some(lines.iter().filter(|line| line.get("id").is_some()).map(id).collect())
    }

    pub async fn task(&self, id: TaskId) -> Record {
        self.get(&format!("v1/tasks/{id}")).await
    }

    /// The task once it is final.
    pub async fn finished(&self, id: TaskId) -> Record {
        until(&format!("the end of task {id}"), async || {
            let request = self.request(Method::GET, &format!("v1/tasks/{id}?wait=20s"));
            let response = request.send().await.ok().filter(|response| response.status().is_success())?;
            response.json().await.ok().filter(|record: &Record| record.state.is_final())
        })
        .await
    }

    pub async fn letter(&self, id: TaskId) -> DeadDetail {
        self.get(&format!("v1/dead/{id}")).await
    }

    pub async fn workers(&self) -> Vec<WorkerInfo> {
        self.get::<Page<WorkerInfo>>("v1/workers").await.items
    }

    /// The process that runs a task.
    pub async fn runner(&self, id: TaskId) -> u32 {
        until(&format!("a worker that runs {id}"), async || {
            let worker = self.task(id).await.worker?;
            self.workers().await.iter().find(|info| info.beat.worker == worker).map(|info| info.beat.pid)
        })
        .await
    }
}

fn id(answer: &Value) -> TaskId {
    serde_json::from_value(answer["id"].clone()).unwrap_or_else(|error| panic!("no id in {answer}: {error}"))
}

/// A task for the ledger.
pub fn task(priority: &str, payload: Value) -> Value {
    json!({ "kind": "it.work", "priority": priority, "payload": payload })
}
