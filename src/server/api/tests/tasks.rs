use reqwest::Method;
use serde_json::json;

use super::{answer, assert_refused, pool::Pool};
use clawpool_backends::store::Cancelled;
use clawpool_core::{
    config::{Config, Limits},
    task::TaskId,
};

async fn pool() -> Pool {
    Pool::start(Config::default()).await
}

#[tokio::test]
async fn inv_1_an_answered_task_is_there() {
    let pool = pool().await;
    let (status, body) =
        pool.post_json("/v1/tasks", r#"{"kind":"email.send","payload":{"to":"a@b.c"}}"#).await;
    assert_eq!(
        (status.as_u16(), &body["priority"], &body["queue"]),
        (201, &json!("P4"), &json!("normal.p4"))
    );
    let id = body["id"].as_str().unwrap();
    let (status, record) = pool.call(Method::GET, &format!("/v1/tasks/{id}")).await;
    assert_eq!(
        (status.as_u16(), &record["state"], &record["kind"]),
        (200, &json!("queued"), &json!("email.send"))
    );
    let (_, queues) = pool.call(Method::GET, "/v1/queues").await;
    let queue = &queues["items"][4];
    assert_eq!(
        (&queue["queue"], &queue["ready"], &queue["enqueued"]),
        (&json!("normal.p4"), &json!(1), &json!(1))
    );
    pool.stop().await;
}

#[tokio::test]
async fn a_byte_order_mark_costs_nothing() {
    let pool = pool().await;
    assert_eq!(pool.post_json("/v1/tasks", "\u{feff}{\"kind\":\"a\"}").await.0, 201);
    assert_eq!(pool.post_json("/v1/tasks", "\u{feff}[{\"kind\":\"a\"}]").await.0, 200);
    pool.stop().await;
}

#[tokio::test]
async fn message_pack_goes_in_and_json_comes_out() {
    let pool = pool().await;
    let one = rmp_serde::to_vec_named(&json!({"kind": "a", "payload": {"n": 1}})).unwrap();
    let (status, body) = answer(pool.post("/v1/tasks", "application/msgpack", one).await).await;
    assert_eq!(status, 201, "{body}");
    let two = rmp_serde::to_vec_named(&json!([{"kind": "a"}, {"kind": 7}])).unwrap();
    let (status, lines) = answer(pool.post("/v1/tasks", "application/msgpack", two).await).await;
    assert_eq!((status.as_u16(), &lines[1]["error"]["field"]), (200, &json!("kind")));
    assert!(lines[0]["id"].is_string());
    pool.stop().await;
}

#[tokio::test]
async fn the_same_task_twice_is_one() {
    let pool = pool().await;
    let id = TaskId::new();
    let task = json!({"id": id, "kind": "a"}).to_string();
    assert_eq!(pool.post_json("/v1/tasks", task.clone()).await.0, 201);
    let (status, body) = pool.post_json("/v1/tasks", task).await;
    assert_eq!((status.as_u16(), &body["id"], &body["duplicate"]), (200, &json!(id), &json!(true)));
    let keyed = r#"{"kind":"a","unique_key":"k"}"#;
    let (_, first) = pool.post_json("/v1/tasks", keyed).await;
    let (status, second) = pool.post_json("/v1/tasks", keyed).await;
    assert_eq!((status.as_u16(), &second["id"]), (200, &first["id"]));
    pool.stop().await;
}

#[tokio::test]
async fn a_batch_is_answered_line_by_line() {
    let pool = pool().await;
    let tasks: Vec<_> = (0..1000).map(|n| json!({"kind": if n == 500 { "" } else { "a" }})).collect();
    let (status, lines) = pool.post_json("/v1/tasks", json!(tasks).to_string()).await;
    let lines = lines.as_array().unwrap();
    assert_eq!((status.as_u16(), lines.len()), (200, 1000));
    assert_eq!(lines.iter().filter(|line| line["id"].is_string()).count(), 999);
    assert_eq!(lines[500]["error"]["field"], "kind");
    pool.stop().await;
}

#[tokio::test]
async fn a_full_queue_is_503_with_retry_after() {
    let limits = Limits { queued: 2, ..Limits::default() };
    let pool = Pool::start(Config { limits, ..Config::default() }).await;
    pool.enqueue(&json!({"kind": "a"})).await;
    let (status, lines) = pool.post_json("/v1/tasks", r#"[{"kind":"a"},{"kind":"a"}]"#).await;
    assert_eq!((status.as_u16(), &lines[1]["error"]["code"]), (200, &json!("CP-1203")), "{lines}");
    let response = pool.post("/v1/tasks", "application/json", r#"{"kind":"a"}"#).await;
    assert!(response.headers().contains_key("retry-after"));
    assert_refused(&answer(response).await, 503, "CP-1203", None);
    // What was not accepted is not there either.
    let (_, listed) = pool.call(Method::GET, "/v1/tasks").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    pool.stop().await;
}

#[tokio::test]
async fn a_waiter_gets_the_result() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    let path = format!("/v1/tasks/{id}?wait=60s");
    let (answered, ()) = tokio::join!(pool.call(Method::GET, &path), pool.complete(id, "done"));
    assert_eq!((answered.0.as_u16(), &answered.1["result"]), (200, &json!("done")));
    let (status, body) = pool.post_json("/v1/tasks?wait=1ms", r#"{"kind":"b"}"#).await;
    assert_eq!((status.as_u16(), &body["task"]["state"]), (201, &json!("queued")));
    pool.stop().await;
}

#[tokio::test]
async fn a_stopping_server_answers_its_waiters() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    let request = pool.request(Method::GET, &format!("/v1/tasks/{id}?wait=60s"));
    let waiting = tokio::spawn(async move { answer(request.send().await.unwrap()).await });
    // Answered after the wait has begun, on the same one thread.
    pool.call(Method::GET, "/health").await;
    pool.stop().await;
    assert_eq!(waiting.await.unwrap().1["state"], "queued");
}

#[tokio::test]
async fn cancelling_depends_on_how_far_the_task_is() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    let path = format!("/v1/tasks/{id}");
    let (status, body) = pool.call(Method::DELETE, &path).await;
    assert_eq!((status.as_u16(), &body["state"]), (200, &json!("cancelled")));
    assert_refused(&pool.call(Method::DELETE, &path).await, 409, "CP-1408", None);
    let unknown = format!("/v1/tasks/{}", TaskId::new());
    assert_refused(&pool.call(Method::DELETE, &unknown).await, 404, "CP-1406", None);
    assert_refused(&pool.call(Method::GET, &unknown).await, 404, "CP-1406", None);
    pool.beat(0).await;
    let running = pool.enqueue(&json!({"kind": "a"})).await;
    pool.run(running).await;
    let (status, body) = pool.call(Method::DELETE, &format!("/v1/tasks/{running}")).await;
    assert_eq!((status.as_u16(), &body["state"]), (202, &json!("running")));
    assert_eq!(pool.beat(1).await.cancel, [running]);
    assert!(matches!(pool.store.cancel(id).await.unwrap(), Cancelled::TooLate(_)));
    pool.stop().await;
}

#[tokio::test]
async fn a_scheduled_task_can_be_seen_and_run_now() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a", "delay": "1h"})).await;
    let (_, scheduled) = pool.call(Method::GET, "/v1/scheduled").await;
    assert_eq!(scheduled["items"][0]["id"], json!(id));
    let (status, record) = pool.call(Method::POST, &format!("/v1/tasks/{id}/run")).await;
    assert_eq!((status.as_u16(), &record["state"]), (200, &json!("scheduled")));
    let queued = pool.enqueue(&json!({"kind": "a"})).await;
    assert_refused(&pool.call(Method::POST, &format!("/v1/tasks/{queued}/run")).await, 409, "CP-1408", None);
    let unknown = format!("/v1/tasks/{}/run", TaskId::new());
    assert_refused(&pool.call(Method::POST, &unknown).await, 404, "CP-1406", None);
    pool.stop().await;
}

#[tokio::test]
async fn listings_filter_and_page() {
    let pool = pool().await;
    for kind in ["email.send", "email.read", "voice.call"] {
        pool.enqueue(&json!({"kind": kind})).await;
    }
    let (_, emails) = pool.call(Method::GET, "/v1/tasks?kind=email.*&state=queued").await;
    assert_eq!(emails["items"].as_array().unwrap().len(), 2);
    let mut seen = 0;
    let mut cursor = String::new();
    loop {
        let (_, page) = pool.call(Method::GET, &format!("/v1/tasks?limit=1&cursor={cursor}")).await;
        seen += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, 3);
    assert_refused(&pool.call(Method::GET, "/v1/tasks?cursor=*").await, 400, "CP-1305", Some("cursor"));
    pool.stop().await;
}
