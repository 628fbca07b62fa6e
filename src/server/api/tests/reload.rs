//! The configuration is read again over HTTP.

use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Server, answer, assert_refused, down::Down};
use crate::reload::Reloader;
use clawpool_backends::store::{Store, sqlite::SqliteStore};
use clawpool_core::config::{Config, Part, Scope, Token};

/// What the file says at the moment.
type File = Arc<Mutex<Config>>;

async fn server(config: Config) -> (Server, File) {
    server_over(config, Arc::new(Down)).await
}

async fn server_over(config: Config, store: Arc<dyn Store>) -> (Server, File) {
    let file = Arc::new(Mutex::new(config.clone()));
    let reading = Arc::clone(&file);
    let read = move || {
        let config = reading.lock().unwrap().clone();
        config.check().map(|()| config)
    };
    let reloader = Reloader::new(config, &[Part::Log, Part::Dispatcher], None, Arc::default(), read);
    (Server::reloading(reloader, Arc::new(Down), store).await, file)
}

fn token(name: &str, scopes: &[Scope]) -> Token {
    Token {
        name: name.into(),
        secret: SecretString::from(format!("the-token-of-{name}")),
        scopes: scopes.to_vec(),
        tenants: Vec::new(),
        queues: Vec::new(),
    }
}

async fn ask(server: &Server, token: &str, method: Method, path: &str) -> (StatusCode, Value) {
    let request = server.request(method, path).bearer_auth(format!("the-token-of-{token}"));
    answer(request.header("content-type", "application/json").body("{}").send().await.unwrap()).await
}

#[tokio::test]
async fn what_was_changed_holds_for_the_next_request() {
    let (server, file) = server(Config::default()).await;
    file.lock().unwrap().limits.batch = 1;
    file.lock().unwrap().redis.prefix = "other".into();
    let two = json!([{"kind": "a"}, {"kind": "b"}]).to_string();
    assert_ne!(
        server.post_json("/v1/tasks", two.clone()).await.1["code"],
        "CP-1403",
        "two are not too many yet"
    );
    let (status, view) = server.post_json("/v1/config/reload", "{}").await;
    assert_eq!(status, 200, "{view}");
    assert_eq!((&view["applied"], &view["restart"]), (&json!(["limits.batch"]), &json!(["redis.prefix"])));
    let refused = server.post_json("/v1/tasks", two).await;
    assert!(refused.0.is_client_error(), "{refused:?}");
    server.stop().await;
}

#[tokio::test]
async fn inv_9_a_bad_file_changes_nothing_and_every_mistake_is_told() {
    let (server, file) = server(Config::default()).await;
    file.lock().unwrap().limits.batch = 0;
    file.lock().unwrap().worker.slots = 0;
    let refused = server.post_json("/v1/config/reload", "{}").await;
    assert_refused(&refused, 422, "CP-1014", None);
    let (message, faults) = (refused.1["message"].as_str().unwrap(), refused.1["faults"].as_array().unwrap());
    assert!(message.contains("limits.batch") && message.contains("worker.slots"), "{message}");
    assert!(faults.iter().any(|fault| fault["key"] == "limits.batch"), "{faults:?}");
    server.stop().await;
}

#[tokio::test]
async fn tokens_come_and_go_and_only_an_admin_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.embedded.data = folder.path().into();
    config.api.tokens = vec![token("admin", &[Scope::Admin]), token("shop", &[Scope::Read])];
    let store = SqliteStore::open(&config).await.unwrap();
    let (server, file) = server_over(config, Arc::new(store)).await;
    let reload = "/v1/config/reload";
    assert_refused(&ask(&server, "shop", Method::POST, reload).await, 403, "CP-1405", None);
    assert_eq!(ask(&server, "new", Method::GET, "/v1/alerts").await.0, 401);
    file.lock().unwrap().api.tokens = vec![token("admin", &[Scope::Admin]), token("new", &[Scope::Read])];
    let (status, view) = ask(&server, "admin", Method::POST, reload).await;
    assert_eq!((status.as_u16(), &view["applied"]), (200, &json!(["api.tokens"])), "{view}");
    assert_eq!(ask(&server, "shop", Method::GET, "/v1/alerts").await.0, 401);
    assert_eq!(ask(&server, "new", Method::GET, "/v1/alerts").await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_dispatcher_without_a_file_says_so() {
    let server = Server::cut_off(Config::default()).await;
    assert_refused(&server.post_json("/v1/config/reload", "{}").await, 409, "CP-1408", None);
    server.stop().await;
}
