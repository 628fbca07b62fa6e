//! Tokens that are made at run time.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    Server, answer, assert_refused,
    pool::Pool,
    route_table::{guarded, secret},
};
use clawpool_backends::store::conformance::sample::Log;
use clawpool_core::config::{Config, Scope};

async fn call(pool: &Pool, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = pool.request(method, path).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(&body) };
    answer(request.send().await.unwrap()).await
}

async fn get(pool: &Pool, token: &str, path: &str) -> (StatusCode, Value) {
    call(pool, token, Method::GET, path, Value::Null).await
}

async fn make(pool: &Pool, token: Value) -> String {
    let (status, made) = call(pool, &secret(Scope::Admin), Method::POST, "/v1/tokens", token).await;
    assert_eq!(status, 201, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_made_listed_used_and_revoked() {
    let pool = Pool::start(guarded()).await;
    let admin = secret(Scope::Admin);
    let shop = json!({"name": "shop", "scopes": ["enqueue", "read"], "tenants": ["acme"], "ttl": "90d"});
    let (status, made) = call(&pool, &admin, Method::POST, "/v1/tokens", shop.clone()).await;
    assert_eq!((status.as_u16(), &made["required"], &made["expired"]), (201, &json!(true), &json!(false)));
    let token = made["secret"].as_str().unwrap();
    let (status, accepted) = call(&pool, token, Method::POST, "/v1/tasks", json!({"kind": "a"})).await;
    assert_eq!(status, 201, "{accepted}");
    let (_, record) = get(&pool, token, &format!("/v1/tasks/{}", accepted["id"].as_str().unwrap())).await;
    assert_eq!((&record["enqueued_by"], &record["tenant"]), (&json!("shop"), &json!("acme")));
    let (_, list) = get(&pool, &admin, "/v1/tokens").await;
    let listed = list["items"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&listed["name"], &listed["created_by"], &listed["configured"], &listed["expires_at"]),
        (&json!("shop"), &json!("configured-admin"), &json!(false), &made["expires_at"])
    );
    assert!(listed.get("secret").is_none() && list["items"].as_array().unwrap().len() == 6, "{list}");
    assert_refused(&call(&pool, &admin, Method::POST, "/v1/tokens", shop).await, 409, "CP-1415", None);
    let revoke =
        async |name| call(&pool, &admin, Method::DELETE, &format!("/v1/tokens/{name}"), Value::Null).await;
    assert_eq!(revoke("shop").await, (StatusCode::OK, json!({"name": "shop", "revoked": true})));
    assert_refused(&get(&pool, token, "/v1/queues").await, 401, "CP-1404", None);
    assert_refused(&revoke("shop").await, 404, "CP-1406", None);
    assert_refused(&revoke("configured-read").await, 409, "CP-1415", None);
    pool.stop().await;
}

#[tokio::test]
async fn another_dispatcher_honours_a_change_within_moments() {
    let pool = Pool::start(guarded()).await;
    let other = Server::start(guarded(), std::sync::Arc::new(super::down::Down), pool.store.clone()).await;
    let token = make(&pool, json!({"name": "shop", "scopes": ["read"]})).await;
    let asked = async || {
        let request = other.request(Method::GET, "/v1/tasks").bearer_auth(&token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(asked().await, 200);
    let admin = secret(Scope::Admin);
    assert_eq!(call(&pool, &admin, Method::DELETE, "/v1/tokens/shop", Value::Null).await.0, 200);
    let begun = Instant::now();
    while asked().await != 401 {
        assert!(begun.elapsed() < Duration::from_secs(30), "still good");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("another dispatcher knew after {:?}", begun.elapsed());
    other.stop().await;
    pool.stop().await;
}

#[tokio::test]
async fn what_no_token_may_be_is_refused_with_its_field() {
    let pool = Pool::start(guarded()).await;
    for (change, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"name": "a/b"}), "name"),
        (json!({"name": "x".repeat(65)}), "name"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["root"]}), "scopes[0]"),
        (json!({"tenants": ["acme", ""]}), "tenants[1]"),
        (json!({"tenants": ["acme"], "scopes": ["read", "operate"]}), "tenants"),
        (json!({"queues": ["llm.*"], "scopes": ["admin"]}), "queues"),
        (json!({"queues": ["what is this?"]}), "queues[0]"),
        (json!({"ttl": "0s"}), "ttl"),
        (json!({"ttl": "11y"}), "ttl"),
        (json!({"ttl": "1h", "expires_at": "2999-01-01T00:00:00Z"}), "ttl"),
        (json!({"expires_at": "2999-01-01T00:00:00Z"}), "expires_at"),
        (json!({"expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
        (json!({"secret": "my-own-secret-please"}), "secret"),
    ] {
        let mut token = json!({"name": "shop", "scopes": ["read"]});
        token.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let said = call(&pool, &secret(Scope::Admin), Method::POST, "/v1/tokens", token).await;
        assert_refused(&said, 400, "CP-1402", Some(field));
    }
    pool.stop().await;
}

#[tokio::test]
async fn a_tokens_queues_are_all_that_it_enqueues_on_and_sees() {
    let pool = Pool::start(guarded()).await;
    let scopes = json!(["enqueue", "priority", "read"]);
    let own = make(&pool, json!({"name": "own", "scopes": scopes, "queues": ["P4", "tenant.*"]})).await;
    let all = make(&pool, json!({"name": "all", "scopes": scopes})).await;
    let admin = secret(Scope::Admin);
    let queue = json!({"name": "tenant.acme", "priority": "P5"});
    assert_eq!(call(&pool, &admin, Method::POST, "/v1/queues", queue).await.0, 201);
    let enqueue = async |token: &str, task: Value| call(&pool, token, Method::POST, "/v1/tasks", task).await;
    for task in [json!({"kind": "a", "priority": "P4"}), json!({"kind": "a", "queue": "tenant.acme"})] {
        assert_eq!(enqueue(&own, task).await.0, 201);
    }
    let refused = enqueue(&own, json!({"kind": "a", "priority": "P2"})).await;
    assert_refused(&refused, 403, "CP-1129", Some("queue"));
    let (_, others) = enqueue(&all, json!({"kind": "a", "priority": "P2"})).await;
    let others = format!("/v1/tasks/{}", others["id"].as_str().unwrap());
    assert_refused(&get(&pool, &own, &others).await, 404, "CP-1406", None);
    assert_eq!(get(&pool, &all, &others).await.0, 200);
    for (token, tasks, queues) in [(&own, 2, 2), (&all, 3, 8)] {
        let (_, listed) = get(&pool, token, "/v1/tasks").await;
        assert_eq!(listed["items"].as_array().unwrap().len(), tasks, "{listed}");
        let (_, listed) = get(&pool, token, "/v1/queues").await;
        assert_eq!(listed["items"].as_array().unwrap().len(), queues, "{listed}");
    }
    for path in ["/metrics", "/v1/scheduled", "/v1/workers", "/v1/autoscaler", "/v1/audit"] {
        assert_refused(&get(&pool, &own, path).await, 403, "CP-1405", None);
    }
    pool.stop().await;
}

/// INV-10.
#[tokio::test]
async fn a_secret_is_told_once_and_kept_nowhere() {
    let (log, _guard) = Log::capture();
    let pool = Pool::start(guarded()).await;
    let admin = secret(Scope::Admin);
    let token = make(&pool, json!({"name": "shop", "scopes": ["read"], "ttl": "1h"})).await;
    let hash = crate::api::tokens::hash(token.as_bytes());
    assert_eq!(get(&pool, &token, "/v1/queues").await.0, 200);
    assert_refused(
        &call(&pool, &token, Method::POST, "/v1/queues/high.p2/pause", Value::Null).await,
        403,
        "CP-1405",
        None,
    );
    let mut told = vec![];
    for (scope, path) in [
        (Scope::Admin, "/v1/tokens"),
        (Scope::Read, "/v1/audit"),
        (Scope::Read, "/v1/alerts"),
        (Scope::Read, "/metrics"),
        (Scope::Read, "/health"),
    ] {
        let (status, said) = get(&pool, &secret(scope), path).await;
        assert_eq!(status, 200, "{said}");
        told.push(said.to_string());
    }
    assert_eq!(call(&pool, &admin, Method::DELETE, "/v1/tokens/shop", Value::Null).await.0, 200);
    told.push(get(&pool, &token, "/v1/queues").await.1.to_string());
    assert!(told[1].contains("token.add") && log.count("token.revoke") == 1, "{told:?}");
    for secret in [&token, &hash, &admin] {
        assert!(told.iter().all(|text| !text.contains(secret)), "{told:?}");
        assert_eq!(log.count(secret), 0, "in the log");
    }
    let again = make(&pool, json!({"name": "shop", "scopes": ["read"]})).await;
    let notes = pool.store.notes("token/").await.unwrap();
    assert!(notes.iter().all(|(_, note)| !String::from_utf8_lossy(note).contains(&again)), "{notes:?}");
    pool.stop().await;
}

/// Where nobody has to say who they are, who does is held to it.
#[tokio::test]
async fn an_open_server_holds_a_token_to_its_rights() {
    let pool = Pool::start(Config::default()).await;
    let made = pool.post_json("/v1/tokens", r#"{"name":"reader","scopes":["read"]}"#).await;
    assert_eq!((made.0.as_u16(), &made.1["required"]), (201, &json!(false)));
    let token = made.1["secret"].as_str().unwrap();
    assert_eq!(get(&pool, token, "/v1/queues").await.0, 200);
    let pause = "/v1/queues/high.p2/pause";
    assert_refused(&call(&pool, token, Method::POST, pause, Value::Null).await, 403, "CP-1405", None);
    assert_eq!(pool.call(Method::POST, pause).await.0, 200);
    assert_refused(&get(&pool, "a-guess", "/v1/queues").await, 401, "CP-1404", None);
    pool.stop().await;
}

#[tokio::test]
async fn without_the_store_configured_tokens_open_and_others_are_asked_to_come_back() {
    let server = Server::cut_off(guarded()).await;
    let asked = async |token: &str| {
        let request = server.request(Method::POST, "/v1/queues/high.p2/pause").bearer_auth(token);
        answer(request.send().await.unwrap()).await
    };
    assert_refused(&asked("perhaps-a-good-one").await, 503, "CP-1301", None);
    assert_refused(&asked(&secret(Scope::Read)).await, 403, "CP-1405", None);
    let (_, health) = server.call(Method::GET, "/health").await;
    // Who did not say who they are learn no reasons.
    assert_eq!(health["services"]["store"], "down");
    server.stop().await;
}
