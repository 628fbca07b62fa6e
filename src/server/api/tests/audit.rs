//! Who changed what.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    answer,
    pool::Pool,
    route_table::{guarded, secret},
};
use clawpool_core::config::{Config, Scope};

async fn call(pool: &Pool, scope: Scope, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = pool.request(method, path).bearer_auth(secret(scope));
    let request = if body.is_null() { request } else { request.json(&body) };
    let (status, body) = answer(request.send().await.unwrap()).await;
    (status.as_u16(), body)
}

async fn audit(pool: &Pool, query: &str) -> Vec<Value> {
    let (status, page) =
        call(pool, Scope::Read, Method::GET, &format!("/v1/audit{query}"), Value::Null).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

fn verbs(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["verb"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_change_tells_who_what_from_where_when_and_how_it_ended() {
    let pool = Pool::start(guarded()).await;
    let queue = json!({"name": "tenant.acme", "priority": "P4"});
    assert_eq!(call(&pool, Scope::Admin, Method::POST, "/v1/queues", queue).await.0, 201);
    let entries = audit(&pool, "").await;
    let mut entry = entries[0].clone();
    assert!(entry["at"].take().as_str().unwrap().starts_with("20"), "{entries:?}");
    let expected = json!({
        "at": null, "by": "configured-admin", "verb": "queue.add", "subject": "tenant.acme",
        "parameters": {"priority": "P4", "lane": "normal"}, "address": "127.0.0.1", "outcome": "done",
        "status": 201,
    });
    assert_eq!((entry, entries.len()), (expected, 1));
    pool.stop().await;
}

#[tokio::test]
async fn changes_and_refused_ones_are_recorded_and_nothing_else() {
    let pool = Pool::start(guarded()).await;
    let enqueue = async |task: Value| {
        let (status, accepted) = call(&pool, Scope::Enqueue, Method::POST, "/v1/tasks", task).await;
        assert_eq!(status, 201, "{accepted}");
        format!("/v1/tasks/{}", accepted["id"].as_str().unwrap())
    };
    let [own, others] = [enqueue(json!({"kind": "a"})).await, enqueue(json!({"kind": "a"})).await];
    for (scope, method, path, body, status) in [
        (Scope::Enqueue, Method::DELETE, own.as_str(), Value::Null, 200),
        (Scope::Operate, Method::DELETE, &others, Value::Null, 200),
        (Scope::Operate, Method::POST, "/v1/queues/nothing/pause", Value::Null, 404),
        (Scope::Operate, Method::POST, "/v1/dead/requeue", json!({"what": 1}), 400),
        (Scope::Operate, Method::POST, "/v1/dead/requeue", json!({"all": true}), 200),
        (Scope::Read, Method::POST, "/v1/queues/high.p2/pause", Value::Null, 403),
        (Scope::Read, Method::POST, "/v1/queues/high.p2/pause", Value::Null, 403),
        (Scope::Read, Method::GET, "/v1/queues", Value::Null, 200),
        (Scope::Read, Method::GET, "/v1/tokens", Value::Null, 403),
    ] {
        let said = call(&pool, scope, method, path, body).await;
        assert_eq!(said.0, status, "{path}: {}", said.1);
    }
    let entries = audit(&pool, "").await;
    assert_eq!(verbs(&entries), ["queue.pause", "dead.requeue", "task.cancel"]);
    let [refused, requeued, cancelled] = [&entries[0], &entries[1], &entries[2]];
    assert_eq!(
        (&refused["outcome"], &refused["code"], &refused["by"]),
        (&json!("refused"), &json!("CP-1405"), &json!("configured-read"))
    );
    assert_eq!(requeued["parameters"], json!({"all": true}));
    assert!(others.ends_with(cancelled["subject"].as_str().unwrap()), "{cancelled}");
    pool.stop().await;
}

#[tokio::test]
async fn entries_are_chosen_by_who_what_and_when_page_by_page() {
    let pool = Pool::start(guarded()).await;
    for (scope, path) in [
        (Scope::Operate, "/v1/queues/high.p2/pause"),
        (Scope::Admin, "/v1/queues/high.p2/resume"),
        (Scope::Operate, "/v1/queues/high.p3/pause"),
        (Scope::Operate, "/v1/pools/main/restart"),
        (Scope::Read, "/v1/pools/main/restart"),
    ] {
        call(&pool, scope, Method::POST, path, Value::Null).await;
    }
    for (query, expected) in [
        ("?by=configured-admin", &["queue.resume"][..]),
        ("?verb=queue.*", &["queue.pause", "queue.resume", "queue.pause"]),
        ("?verb=queue.pause&subject=high.p2", &["queue.pause"]),
        ("?outcome=refused", &["pool.restart"]),
        ("?outcome=done&by=configured-operate&subject=main", &["pool.restart"]),
        ("?until=2001-01-01T00:00:00Z", &[]),
        ("?since=2999-01-01T00:00:00Z", &[]),
        ("?limit=1&by=configured-admin", &["queue.resume"]),
    ] {
        assert_eq!(verbs(&audit(&pool, query).await), expected, "{query}");
    }
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let (_, page) =
            call(&pool, Scope::Read, Method::GET, &format!("/v1/audit{query}"), Value::Null).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(verbs(&seen), verbs(&audit(&pool, "").await));
    for query in ["?outcome=maybe", "?verb=a%20b", "?what=1", "?since=soon"] {
        let path = format!("/v1/audit{query}");
        assert_eq!(call(&pool, Scope::Read, Method::GET, &path, Value::Null).await.0, 400, "{query}");
    }
    pool.stop().await;
}

/// A command that waits until a queue is empty asks once a second.
#[tokio::test]
async fn an_order_that_is_repeated_until_it_is_done_is_recorded_once() {
    let pool = Pool::start(Config::default()).await;
    pool.post_json("/v1/queues", r#"{"name":"old","priority":"P4"}"#).await;
    pool.enqueue(&json!({"kind": "a", "queue": "old"})).await;
    for _ in 0..3 {
        assert_eq!(pool.call(Method::DELETE, "/v1/queues/old?drain=true").await.0, 202);
    }
    let entries = pool.call(Method::GET, "/v1/audit?verb=queue.remove").await.1;
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
    assert_eq!(entries["items"][0]["parameters"], json!({"drain": true}));
    pool.stop().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_its_trace_all_the_same() {
    let pool = Pool::start(Config::default()).await;
    let mut stream = TcpStream::connect(&pool.address).await.unwrap();
    let head = "POST /v1/queues/high.p2/pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    let begun = Instant::now();
    loop {
        let (_, page) = pool.call(Method::GET, "/v1/audit").await;
        if page["items"].as_array().is_some_and(|items| !items.is_empty()) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no trace");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pool.stop().await;
}
