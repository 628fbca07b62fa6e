//! The API over real HTTP.

mod access;
mod alerts;
mod audit;
mod bad_input;
mod bodies;
mod contract;
mod dashboard;
mod down;
mod events;
mod figures;
mod health;
mod lists;
mod made_tokens;
mod openapi;
mod operate;
mod outage;
mod pool;
mod reload;
mod route_table;
mod routes;
mod starting;
mod story;
mod tasks;
mod tls;
mod tokens;

use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use futures::FutureExt;

use super::{Api, Examine};
use crate::{health::Health, reload::Reloader};
use clawpool_backends::{broker::Broker, path, store::Store};
use clawpool_core::config::Config;
use clawpool_engine::{
    client::doctor::{DoctorView, FindingView},
    dispatch::Producer,
    live::Live,
};

/// A server of its own for each test.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) http: reqwest::Client,
    /// Looks when a test has it look.
    pub(super) health: Arc<Health>,
    closing: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(super) async fn start(config: Config, broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Self {
        Self::with(config.into(), broker, store, |api| api).await
    }

    /// A server that can read its configuration again.
    pub(super) async fn reloading(
        reloader: Arc<Reloader>,
        broker: Arc<dyn Broker>,
        store: Arc<dyn Store>,
    ) -> Self {
        let live = reloader.live().clone();
        Self::with(live, broker, store, |api| api.with_reloader(reloader)).await
    }

    async fn with(
        live: Live,
        broker: Arc<dyn Broker>,
        store: Arc<dyn Store>,
        more: impl FnOnce(Api) -> Api,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let path = path::over(Arc::clone(&broker), Arc::clone(&store));
        let producer = Producer::following(&live, path, Arc::clone(&store));
        let health = Arc::new(Health::new(live.now(), Arc::clone(&broker), Arc::clone(&store)));
        let api = more(
            Api::new(producer, broker, store, live).with_health(Arc::clone(&health)).with_doctor(doctor()),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let closing = CancellationToken::new();
        let serving = tokio::spawn(api.serve(listener, closing.clone()));
        Self { address, http: reqwest::Client::new(), health, closing, serving }
    }

    /// A server whose broker and store are away.
    pub(super) async fn cut_off(config: Config) -> Self {
        Self::start(config, Arc::new(down::Down), Arc::new(down::Down)).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub(super) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        self.request(Method::POST, path).header("content-type", content_type).body(body).send().await.unwrap()
    }

    pub(super) async fn post_json(&self, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        answer(self.post(path, "application/json", body).await).await
    }

    pub(super) async fn call(&self, method: Method, path: &str) -> (StatusCode, Value) {
        answer(self.request(method, path).send().await.unwrap()).await
    }

    /// Stops in good order.
    pub(super) async fn stop(self) {
        self.closing.cancel();
        drop(self.http);
        self.serving.await.unwrap().unwrap();
    }
}

/// Finds the same each time.
fn doctor() -> Examine {
    let finding = |status: &str| FindingView {
        check: "disk".to_owned(),
        status: status.to_owned(),
        text: "<b>full</b>\u{202e}".to_owned(),
        fix: Some("<script>alert(1)</script>".to_owned()),
        code: Some("CP-1201".to_owned()),
    };
    let findings = ["ok", "warning", "error", "skipped"].map(finding).into();
    let view = DoctorView { status: "error".to_owned(), errors: 1, warnings: 1, findings };
    Arc::new(move |_| futures::future::ready(view.clone()).boxed())
}

pub(super) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    // It has no end.
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (status, Value::Null);
    }
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Every refusal says what, why and where.
#[track_caller]
pub(super) fn assert_refused(
    (status, body): &(StatusCode, Value),
    expected: u16,
    code: &str,
    field: Option<&str>,
) {
    assert_eq!(
        (status.as_u16(), body["code"].as_str(), body["field"].as_str()),
        (expected, Some(code), field),
        "{body}"
    );
    assert!(body["message"].as_str().is_some_and(|message| message.len() > 10), "{body}");
}
