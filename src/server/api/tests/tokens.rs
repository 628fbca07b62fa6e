//! What a token may see and do of others' tasks.

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{answer, assert_refused, pool::Pool};
use clawpool_core::config::{Config, Scope, Token};

async fn pool() -> Pool {
    let token = |name: &str, scopes: &[Scope], tenants: &[&str]| Token {
        name: name.into(),
        secret: SecretString::from(format!("the-token-of-{name}")),
        scopes: scopes.to_vec(),
        tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
        queues: vec![],
    };
    let mut config = Config::default();
    config.api.tokens = vec![
        token("shop", &[Scope::Enqueue], &[]),
        token("other", &[Scope::Enqueue], &[]),
        token("desk", &[Scope::Enqueue, Scope::Read], &[]),
        token("operator", &[Scope::Enqueue, Scope::Admin], &[]),
        token("acme", &[Scope::Enqueue, Scope::Read], &["acme"]),
        token("two", &[Scope::Enqueue, Scope::Read], &["acme", "beta"]),
    ];
    Pool::start(config).await
}

async fn call(
    pool: &Pool,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let request = pool.request(method, path).bearer_auth(format!("the-token-of-{token}"));
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    answer(request.send().await.unwrap()).await
}

async fn enqueue(pool: &Pool, token: &str, task: Value) -> String {
    let (status, body) = call(pool, token, Method::POST, "/v1/tasks", Some(task)).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_enqueue_token_reads_only_what_it_enqueued() {
    let pool = pool().await;
    let id =
        enqueue(&pool, "shop", json!({"kind": "a", "tenant": "acme", "payload": {"card": "4111"}})).await;
    let path = format!("/v1/tasks/{id}");
    for (token, sees) in
        [("shop", true), ("desk", true), ("operator", true), ("acme", true), ("two", true), ("other", false)]
    {
        for path in [path.clone(), format!("{path}?wait=1ms")] {
            let seen = call(&pool, token, Method::GET, &path, None).await;
            if sees {
                assert_eq!((seen.0.as_u16(), &seen.1["enqueued_by"]), (200, &json!("shop")), "{token}");
            } else {
                assert_refused(&seen, 404, "CP-1406", None);
            }
        }
    }
    pool.stop().await;
}

#[tokio::test]
async fn an_enqueue_token_cancels_only_what_it_enqueued() {
    let pool = pool().await;
    for (token, tenant, may) in [
        ("shop", "acme", true),
        ("operator", "acme", true),
        ("acme", "acme", true),
        ("acme", "beta", false),
        ("other", "acme", false),
    ] {
        let id = enqueue(&pool, "shop", json!({"kind": "a", "tenant": tenant, "delay": "1h"})).await;
        let path = format!("/v1/tasks/{id}");
        let cancelled = call(&pool, token, Method::DELETE, &path, None).await;
        let (_, record) = call(&pool, "shop", Method::GET, &path, None).await;
        if may {
            assert_eq!((cancelled.0.as_u16(), &record["state"]), (200, &json!("cancelled")), "{token}");
        } else {
            assert_refused(&cancelled, 404, "CP-1406", None);
            assert_eq!(record["state"], "scheduled", "{token}");
        }
    }
    pool.stop().await;
}

#[tokio::test]
async fn a_unique_key_of_one_tenant_or_token_is_none_of_anothers() {
    let pool = pool().await;
    let keyed = |tenant: Option<&str>| json!({"kind": "a", "tenant": tenant, "unique_key": "invoice-7"});
    for (token, tenant) in [("shop", Some("acme")), ("other", Some("evil")), ("shop", None), ("other", None)]
    {
        // 201: it is new.
        let id = enqueue(&pool, token, keyed(tenant)).await;
        let (status, again) = call(&pool, token, Method::POST, "/v1/tasks", Some(keyed(tenant))).await;
        assert_eq!((status.as_u16(), &again["id"]), (200, &json!(id)), "{token} {tenant:?}");
    }
    pool.stop().await;
}

#[tokio::test]
async fn another_tokens_task_is_not_shown_by_its_unique_key_or_id() {
    let pool = pool().await;
    let keyed = json!({"kind": "a", "tenant": "acme", "unique_key": "k"});
    let id = enqueue(&pool, "shop", keyed.clone()).await;
    let (status, told) = call(&pool, "other", Method::POST, "/v1/tasks?wait=1ms", Some(keyed.clone())).await;
    assert_eq!((status.as_u16(), told["id"].as_str(), told.get("task")), (200, Some(&*id), None), "{told}");
    let (_, own) = call(&pool, "shop", Method::POST, "/v1/tasks?wait=1ms", Some(keyed)).await;
    assert_eq!(own["task"]["state"], "queued");
    let repeated = json!({"kind": "a", "id": id});
    let refused = call(&pool, "other", Method::POST, "/v1/tasks?wait=1ms", Some(repeated)).await;
    assert_refused(&refused, 403, "CP-1126", Some("id"));
    pool.stop().await;
}

#[tokio::test]
async fn a_tokens_tenants_are_all_that_it_enqueues_for_and_sees() {
    let pool = pool().await;
    let own = enqueue(&pool, "acme", json!({"kind": "a"})).await;
    let refused =
        call(&pool, "acme", Method::POST, "/v1/tasks", Some(json!({"kind": "a", "tenant": "beta"}))).await;
    assert_refused(&refused, 403, "CP-1125", Some("tenant"));
    let (_, lines) = call(&pool, "two", Method::POST, "/v1/tasks", Some(json!([{"kind": "a"}]))).await;
    assert_eq!(lines[0]["error"]["field"], "tenant");
    let theirs = enqueue(&pool, "two", json!({"kind": "a", "tenant": "beta"})).await;
    for (path, expected) in [(&own, 200), (&theirs, 404)] {
        let (status, body) = call(&pool, "acme", Method::GET, &format!("/v1/tasks/{path}"), None).await;
        assert_eq!(status.as_u16(), expected, "{body}");
    }
    for path in ["/v1/tasks", "/v1/dead", "/v1/dead/export"] {
        let refused = call(&pool, "acme", Method::GET, &format!("{path}?tenant=beta"), None).await;
        assert_refused(&refused, 403, "CP-1405", Some("tenant"));
        assert_refused(&call(&pool, "two", Method::GET, path, None).await, 403, "CP-1405", Some("tenant"));
        assert_eq!(call(&pool, "two", Method::GET, &format!("{path}?tenant=beta"), None).await.0, 200);
    }
    let (_, listed) = call(&pool, "acme", Method::GET, "/v1/tasks", None).await;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &json!(own)));
    for path in ["/v1/scheduled", "/v1/workers", "/v1/workers/crashes", "/v1/alerts"] {
        assert_refused(&call(&pool, "acme", Method::GET, path, None).await, 403, "CP-1405", None);
        assert_eq!(call(&pool, "desk", Method::GET, path, None).await.0, 200);
    }
    pool.stop().await;
}

#[tokio::test]
async fn requeue_tells_what_it_kept() {
    let pool = Pool::start(Config::default()).await;
    let keyed = json!({"kind": "a", "unique_key": "hourly"});
    for _ in 0..3 {
        pool.kill(&keyed, "the line is dead").await;
    }
    let (status, counts) = pool.post_json("/v1/dead/requeue", r#"{"all":true}"#).await;
    assert_eq!((status.as_u16(), counts), (200, json!({"count": 1, "kept": 2})));
    let (_, dead) = pool.call(Method::GET, "/v1/dead").await;
    assert_eq!(dead["items"].as_array().unwrap().len(), 2);
    pool.stop().await;
}
