//! What a client may rely on when it asks again: keys, ids, addresses and tags.

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use super::{answer, assert_refused, pool::Pool};
use clawpool_core::{config::Config, task::TaskId};

async fn pool() -> Pool {
    Pool::start(Config::default()).await
}

fn post(pool: &Pool, key: &str, body: &Value) -> RequestBuilder {
    let request = pool.request(Method::POST, "/v1/tasks").header("content-type", "application/json");
    request.header("Idempotency-Key", key).body(body.to_string())
}

async fn keyed(pool: &Pool, key: &str, body: &Value) -> (StatusCode, Value) {
    answer(post(pool, key, body).send().await.unwrap()).await
}

async fn count(pool: &Pool) -> usize {
    let (_, listed) = pool.call(Method::GET, "/v1/tasks").await;
    listed["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_request_with_a_key_is_known_again() {
    let pool = pool().await;
    let task = json!({"kind": "a", "payload": {"x": 1, "y": 2}, "delay": "1h"});
    let (status, first) = keyed(&pool, "order-42", &task).await;
    assert_eq!((status.as_u16(), &first["duplicate"]), (201, &json!(false)), "{first}");
    let (status, again) = keyed(&pool, "order-42", &task).await;
    assert_eq!((status.as_u16(), &again["duplicate"]), (200, &json!(true)), "{again}");
    assert_eq!((&again["id"], &again["due_at"]), (&first["id"], &first["due_at"]));
    let swapped = json!({"delay": "1h", "payload": {"y": 2, "x": 1}, "kind": "a"});
    assert_eq!(keyed(&pool, "order-42", &swapped).await.0, 200, "it means the same");
    for other in [
        json!({"kind": "a", "payload": {"x": 1, "y": 3}, "delay": "1h"}),
        json!({"kind": "a", "payload": {"x": 1, "y": 2}, "delay": "2h"}),
        json!({"kind": "b", "payload": {"x": 1, "y": 2}, "delay": "1h"}),
    ] {
        let refused = keyed(&pool, "order-42", &other).await;
        assert_refused(&refused, 422, "CP-1420", Some("Idempotency-Key"));
    }
    assert_ne!(keyed(&pool, "order-43", &task).await.1["id"], first["id"], "another key, another task");
    assert_eq!(count(&pool).await, 2);
    pool.stop().await;
}

#[tokio::test]
async fn a_key_holds_while_its_task_is_remembered() {
    let pool = pool().await;
    let task = json!({"kind": "a"});
    let (_, first) = keyed(&pool, "k", &task).await;
    let id: TaskId = first["id"].as_str().unwrap().parse().unwrap();
    pool.complete(id, "done").await;
    let (status, again) = keyed(&pool, "k", &task).await;
    assert_eq!((status.as_u16(), &again["id"]), (200, &first["id"]));
    assert_refused(&keyed(&pool, "k", &json!({"kind": "b"})).await, 422, "CP-1420", Some("Idempotency-Key"));
    pool.stop().await;
}

#[tokio::test]
async fn a_batch_with_a_key_is_known_again_as_a_whole() {
    let pool = pool().await;
    let tasks = json!([{"kind": ""}, {"kind": "a"}, {"kind": "b", "payload": 1}, {"kind": 7}]);
    let (status, first) = keyed(&pool, "k", &tasks).await;
    assert_eq!((status.as_u16(), &first[3]["error"]["field"]), (200, &json!("kind")), "{first}");
    let (status, again) = keyed(&pool, "k", &tasks).await;
    let ids = |lines: &Value| [1, 2].map(|line| lines[line]["id"].as_str().unwrap().to_owned());
    assert_eq!((status.as_u16(), ids(&again)), (200, ids(&first)));
    assert_eq!(again[2]["duplicate"], true);
    for other in [
        json!([{"kind": ""}, {"kind": "a"}, {"kind": "b", "payload": 1}]),
        json!([{"kind": ""}, {"kind": "a"}, {"kind": "b", "payload": 1}, {"kind": 7}, {"kind": "more"}]),
        json!([{"kind": ""}, {"kind": "a"}, {"kind": "b", "payload": 2}, {"kind": 7}]),
    ] {
        let (status, lines) = keyed(&pool, "k", &other).await;
        match status.as_u16() {
            422 => assert_refused(&(status, lines), 422, "CP-1420", Some("Idempotency-Key")),
            _ => assert!(lines.as_array().unwrap().iter().all(|line| line["id"].is_null()), "{lines}"),
        }
    }
    assert_eq!(count(&pool).await, 2, "nothing was added by any of them");
    pool.stop().await;
}

#[tokio::test]
async fn a_key_that_says_nothing_is_refused() {
    let pool = pool().await;
    let task = json!({"kind": "a"});
    for key in ["", "  ", &"k".repeat(256), "gr\u{fc}n"] {
        let refused = keyed(&pool, key, &task).await;
        assert_refused(&refused, 400, "CP-1402", Some("Idempotency-Key"));
    }
    let twice = post(&pool, "a", &task).header("Idempotency-Key", "b").send().await.unwrap();
    assert_refused(&answer(twice).await, 400, "CP-1402", Some("Idempotency-Key"));
    let own = json!({"kind": "a", "id": TaskId::new()});
    assert_refused(&keyed(&pool, "k", &own).await, 400, "CP-1402", Some("id"));
    assert_eq!(count(&pool).await, 0);
    pool.stop().await;
}

#[tokio::test]
async fn an_id_with_another_task_is_a_conflict() {
    let pool = pool().await;
    let id = TaskId::new();
    let task = json!({"id": id, "kind": "a", "payload": {"n": 1}});
    assert_eq!(pool.post_json("/v1/tasks", task.to_string()).await.0, 201);
    // What may differ from one try to the next one is no conflict.
    let again = json!({"id": id, "kind": "a", "payload": {"n": 1}, "priority": "P1", "delay": "1s"});
    let (status, body) = pool.post_json("/v1/tasks", again.to_string()).await;
    assert_eq!((status.as_u16(), &body["duplicate"]), (200, &json!(true)));
    let others = [
        json!({"id": id, "kind": "a", "payload": {"n": 2}}),
        json!({"id": id, "kind": "b", "payload": {"n": 1}}),
        json!({"id": id, "kind": "a", "payload": {"n": 1}, "tenant": "acme"}),
    ];
    for state in ["queued", "completed"] {
        if state == "completed" {
            pool.complete(id, "done").await;
        }
        for other in &others {
            let refused = pool.post_json("/v1/tasks", other.to_string()).await;
            assert_refused(&refused, 409, "CP-1130", Some("id"));
        }
        let (status, lines) = pool.post_json("/v1/tasks", json!([task, others[0]]).to_string()).await;
        assert_eq!((status.as_u16(), &lines[0]["id"]), (200, &json!(id)), "{lines}");
        assert_eq!(lines[1]["error"]["code"], "CP-1130", "{lines}");
    }
    assert_eq!(count(&pool).await, 1);
    pool.stop().await;
}

#[tokio::test]
async fn an_id_that_a_server_made_can_be_repeated() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a", "payload": 1})).await;
    let again = json!({"id": id, "kind": "a", "payload": 1});
    assert_eq!(pool.post_json("/v1/tasks", again.to_string()).await.0, 200);
    let other = json!({"id": id, "kind": "b", "payload": 1});
    assert_refused(&pool.post_json("/v1/tasks", other.to_string()).await, 409, "CP-1130", Some("id"));
    pool.stop().await;
}

#[tokio::test]
async fn an_accepted_task_is_where_its_location_says() {
    let pool = pool().await;
    let task = json!({"kind": "a", "id": TaskId::new()}).to_string();
    for status in [201, 200] {
        let response = pool.post("/v1/tasks", "application/json", task.clone()).await;
        assert_eq!(response.status(), status);
        let location = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
        let (_, body) = answer(response).await;
        assert_eq!(location, format!("/v1/tasks/{}", body["id"].as_str().unwrap()));
        assert_eq!(pool.call(Method::GET, &location).await.0, 200);
    }
    pool.stop().await;
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a", "delay": "1h"})).await;
    let task = format!("/v1/tasks/{id}");
    for path in [&*task, "/v1/queues", "/v1/tasks", "/v1/scheduled", "/v1/workers", "/v1/hosts", "/v1/alerts"]
    {
        let first = pool.request(Method::GET, path).send().await.unwrap();
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let again = pool.request(Method::GET, path).header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(again.headers()[header::ETAG].to_str().unwrap(), tag, "{path}");
        assert!(again.bytes().await.unwrap().is_empty(), "{path}");
        let other =
            pool.request(Method::GET, path).header(header::IF_NONE_MATCH, "\"x\"").send().await.unwrap();
        assert_eq!(other.status(), 200, "{path}");
    }
    let before = pool.request(Method::GET, &task).send().await.unwrap().headers()[header::ETAG].clone();
    assert_eq!(pool.call(Method::DELETE, &task).await.0, 200);
    let request = pool.request(Method::GET, &task).header(header::IF_NONE_MATCH, before);
    let (status, body) = answer(request.send().await.unwrap()).await;
    assert_eq!((status.as_u16(), &body["state"]), (200, &json!("cancelled")), "it has changed");
    let missing = pool.request(Method::GET, &format!("/v1/tasks/{}", TaskId::new()));
    let refused = answer(missing.header(header::IF_NONE_MATCH, "*").send().await.unwrap()).await;
    assert_refused(&refused, 404, "CP-1406", None);
    pool.stop().await;
}
