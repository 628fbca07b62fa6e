//! One task's whole story in one answer, and the logs of its attempts.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_refused, pool::Pool};
use clawpool_backends::store::{End, LogLines, LogRules, Settlement};
use clawpool_core::{
    config::{Config, Limits},
    retry::next_message,
    task::{ErrorClass, Failure, LogLine, LogSource, Payload, Ran, Story, Task, TaskId, Timestamp},
};

const HOUR: Duration = Duration::from_secs(3600);

async fn pool() -> Pool {
    Pool::start(Config::default()).await
}

async fn show(pool: &Pool, id: TaskId) -> Value {
    let (status, body) = pool.call(Method::GET, &format!("/v1/tasks/{id}")).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn call() -> Value {
    json!({
        "kind": "voice.call", "payload": {"to": 18_446_744_073_709_551_615_u64}, "tenant": "acme",
        "session": "s-1", "meta": {"user": "ada", "step": "3"},
        "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    })
}

fn assert_told(body: &Value, task: &Value) {
    for field in ["payload", "tenant", "session", "meta", "trace"] {
        assert_eq!(body[field], task[field], "{field} of {body}");
    }
}

/// The task as its message has it.
async fn sent(pool: &Pool, id: TaskId) -> Task {
    let call = call();
    let text = |field: &str| call[field].as_str().map(str::to_owned);
    Task {
        attempt: 0,
        expires_at: Timestamp::now() + HOUR,
        tenant: text("tenant"),
        session: text("session"),
        trace: text("trace"),
        meta: serde_json::from_value(call["meta"].clone()).unwrap(),
        ..pool.task(id, &call).await
    }
}

fn ran(pool: &Pool) -> Ran {
    let started_at = Timestamp::now();
    Ran { by: pool.worker, version: "1.2.3".into(), started_at, wait_ms: 5, run_ms: 70 }
}

/// Runs an attempt that fails as a program does, to be tried again at once.
async fn fail(pool: &Pool, id: TaskId, task: &Task) -> Task {
    let claimed = pool.run(id).await;
    let failure = Failure::new(ErrorClass::Other, "the program ended with exit code 3\nfirst\nlast");
    let failure = Failure { exit: Some(3), stderr_lines: 2, ..failure };
    let now = Timestamp::now();
    let next = next_message(task, &failure, Some(ran(pool)), now, now);
    let end = End::Retry { message: next.to_message().unwrap(), at: now, failure };
    let story = Story::write(&next, None, 1024);
    let settlement = Settlement { story, ..Settlement::uncounted(claimed, end) };
    assert_eq!(pool.store.settle(pool.worker, &[settlement]).await.unwrap(), [true]);
    next
}

#[tokio::test]
async fn what_waits_is_shown_with_what_its_producer_sent() {
    let pool = pool().await;
    let queued = pool.enqueue(&call()).await;
    let body = show(&pool, queued).await;
    assert_told(&body, &call());
    assert_eq!(
        (&body["state"], &body["waiting"], &body["attempts"]),
        (&json!("queued"), &Value::Null, &json!([]))
    );
    let mut later = call();
    later["delay"] = json!("1h");
    let delayed = pool.enqueue(&later).await;
    let body = show(&pool, delayed).await;
    assert_told(&body, &call());
    assert_eq!((&body["state"], &body["waiting"]), (&json!("scheduled"), &json!("delayed")));
    assert!(body["due_at"].is_string(), "{body}");
    pool.stop().await;
}

#[tokio::test]
async fn every_attempt_is_told_from_the_first_to_the_result() {
    let pool = pool().await;
    let id = pool.enqueue(&call()).await;
    let task = sent(&pool, id).await;
    pool.beat(1).await;
    let next = fail(&pool, id, &task).await;
    let body = show(&pool, id).await;
    assert_eq!((&body["state"], &body["waiting"]), (&json!("scheduled"), &json!("retrying")));
    let failed = &body["attempts"][0];
    assert_eq!((&failed["attempt"], &failed["outcome"]), (&json!(1), &json!("retried")), "{failed}");
    assert_eq!(
        failed["error"],
        json!({
            "class": "other", "stderr": ["last", "first"], "message": "the program ended with exit code 3",
        })
    );
    let worker = json!(pool.worker.to_string());
    assert_eq!((&failed["worker"], &failed["worker_version"]), (&worker, &json!("1.2.3")));
    assert_eq!((&failed["exit"], &failed["wait_ms"], &failed["run_ms"]), (&json!(3), &json!(5), &json!(70)));

    let claimed = pool.run(id).await;
    let body = show(&pool, id).await;
    let running = &body["attempts"][1];
    assert_eq!((&running["attempt"], &running["outcome"]), (&json!(2), &json!("running")), "{running}");
    assert_eq!((&running["worker"], &running["worker_version"]), (&worker, &json!("1.2.3")));
    let end = End::Completed { result: Payload::encode("done").unwrap(), keep: HOUR };
    let story = Story::write(&next, Some(&ran(&pool)), 1024);
    let settlement = Settlement { story, ..Settlement::uncounted(claimed, end) };
    assert_eq!(pool.store.settle(pool.worker, &[settlement]).await.unwrap(), [true]);
    let body = show(&pool, id).await;
    assert_told(&body, &call());
    assert_eq!((&body["state"], &body["result"]), (&json!("completed"), &json!("done")));
    let outcomes: Vec<&Value> =
        body["attempts"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["retried", "completed"]);
    assert!(body["attempts"][1]["ended_at"].is_string(), "{body}");
    pool.stop().await;
}

#[tokio::test]
async fn a_payload_that_is_not_kept_is_said_with_its_length() {
    let pool = pool().await;
    let id = pool.enqueue(&call()).await;
    let task = sent(&pool, id).await;
    let claimed = pool.run(id).await;
    let end = End::Completed { result: Payload::null(), keep: HOUR };
    let story = Story::write(&task, Some(&ran(&pool)), 1);
    let settlement = Settlement { story, ..Settlement::uncounted(claimed, end) };
    assert_eq!(pool.store.settle(pool.worker, &[settlement]).await.unwrap(), [true]);
    let body = show(&pool, id).await;
    assert_eq!((&body["payload"], &body["session"]), (&Value::Null, &json!("s-1")));
    assert_eq!(body["payload_bytes"], task.payload.as_message_pack().len());
    assert!(body["payload_missing"].as_str().unwrap().contains("attempts.payload"), "{body}");
    pool.stop().await;
}

#[tokio::test]
async fn a_dead_letters_task_says_why_it_died() {
    let pool = pool().await;
    let id = pool.kill(&json!({"kind": "a", "payload": 7}), "no route").await;
    let body = show(&pool, id).await;
    assert_eq!((&body["state"], &body["dead_reason"]), (&json!("dead"), &json!("exhausted")));
    assert_eq!(body["attempts"][0]["outcome"], json!("dead"));
    assert_eq!(body["attempts"][0]["error"], json!({"class": "network", "message": "no route"}));
    pool.stop().await;
}

#[tokio::test]
async fn notes_of_a_producer_have_their_limits() {
    let limits = Limits { meta: bytesize::ByteSize(20), ..Limits::default() };
    let pool = Pool::start(Config { limits, ..Config::default() }).await;
    let with = |meta: Value| json!({"kind": "a", "meta": meta}).to_string();
    assert_eq!(pool.post_json("/v1/tasks", with(json!({"ten bytes": "ten bytes"}))).await.0, 201);
    let long = pool.post_json("/v1/tasks", with(json!({"ten bytes": "twelve bytes"}))).await;
    assert_refused(&long, 400, "CP-1103", Some("meta"));
    for wrong in [json!({"": "a"}), json!({"a\n": "a"})] {
        assert_refused(&pool.post_json("/v1/tasks", with(wrong)).await, 400, "CP-1104", Some("meta"));
    }
    let steering = pool.post_json("/v1/tasks", with(json!({"a": "\u{1b}[2J"}))).await;
    assert_refused(&steering, 400, "CP-1104", Some("meta.a"));
    pool.stop().await;
}

async fn log(pool: &Pool, id: TaskId, attempt: u32, text: &str) {
    let mut lines = Vec::new();
    LogLine::write(&mut lines, Timestamp::now(), LogSource::Stderr, text);
    let piece = LogLines { id, attempt, lines: lines.into() };
    let rules = LogRules { most: 1000, keep: HOUR };
    pool.store.append_logs(rules, &[piece]).await.unwrap();
}

fn texts(body: &Value) -> Vec<(u64, &str)> {
    let logs = body["items"].as_array().unwrap().iter();
    logs.flat_map(|log| {
        let attempt = log["attempt"].as_u64().unwrap();
        let lines = log["lines"].as_array().unwrap().iter();
        lines.map(move |line| (attempt, line["text"].as_str().unwrap()))
    })
    .collect()
}

#[tokio::test]
async fn logs_are_read_while_the_task_runs_and_after_it_is_forgotten() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    let path = format!("/v1/tasks/{id}/logs");
    let (status, body) = pool.call(Method::GET, &path).await;
    assert_eq!((status.as_u16(), &body["items"]), (200, &json!([])));
    pool.run(id).await;
    log(&pool, id, 1, "one").await;
    log(&pool, id, 2, "two").await;
    let (_, body) = pool.call(Method::GET, &path).await;
    assert_eq!(texts(&body), [(1, "one"), (2, "two")], "{body}");
    assert_eq!(body["items"][0]["lines"][0]["from"], json!("stderr"));
    let (_, body) = pool.call(Method::GET, &format!("{path}?attempt=2")).await;
    assert_eq!(texts(&body), [(2, "two")]);

    let forgotten = TaskId::new();
    log(&pool, forgotten, 1, "long ago").await;
    let (_, body) = pool.call(Method::GET, &format!("/v1/tasks/{forgotten}/logs")).await;
    assert_eq!(texts(&body), [(1, "long ago")]);
    let unknown = pool.call(Method::GET, &format!("/v1/tasks/{}/logs", TaskId::new())).await;
    assert_refused(&unknown, 404, "CP-1406", None);
    let wrong = pool.call(Method::GET, &format!("{path}?attempt=x")).await;
    assert_refused(&wrong, 400, "CP-1402", Some("attempt"));
    pool.stop().await;
}
