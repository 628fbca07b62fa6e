//! What comes in at the HTTP door of the real process: whatever it is, the answer is a status with code,
//! message and field, and the door stays open for others.

use clawpool_core::task::{State, TaskId};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Event, Servers, Settings, System, balance, in_time, task};

#[tokio::test]
async fn bad_requests_are_refused_with_their_reason() {
    let system = System::embedded(1, Settings::quick()).await;
    let good = system.api.enqueue(task("P4", json!({}))).await;
    let deep = |levels: usize| {
        format!("{{\"kind\":\"it.work\",\"payload\":{}{}}}", "[".repeat(levels), "]".repeat(levels))
    };
    let long = format!("{{\"kind\":\"it.work\",\"payload\":\"{}\"}}", "x".repeat(300 << 10));
    let batch = serde_json::to_vec(&vec![task("P4", json!({})); 1001]).unwrap();
    let cases: [(&str, Vec<u8>, StatusCode); 13] = [
        ("not JSON", b"{kind: it.work}".into(), StatusCode::BAD_REQUEST),
        ("cut off", br#"{"kind":"it.work""#.into(), StatusCode::BAD_REQUEST),
        ("empty", b"".into(), StatusCode::BAD_REQUEST),
        ("bad UTF-8", b"{\"kind\":\"it.\xff\"}".into(), StatusCode::BAD_REQUEST),
        ("wrong type", br#"{"kind":7}"#.into(), StatusCode::BAD_REQUEST),
        ("unknown field", br#"{"kind":"it.work","prioritty":"P1"}"#.into(), StatusCode::BAD_REQUEST),
        ("unknown priority", br#"{"kind":"it.work","priority":"P9"}"#.into(), StatusCode::BAD_REQUEST),
        (
            "past deadline",
            br#"{"kind":"it.work","expires_at":"2020-01-01T00:00:00Z"}"#.into(),
            StatusCode::BAD_REQUEST,
        ),
        ("deep", deep(70).into(), StatusCode::BAD_REQUEST),
        ("depth bomb", deep(100_000).into(), StatusCode::BAD_REQUEST),
        ("long payload", long.into(), StatusCode::PAYLOAD_TOO_LARGE),
        ("batch of 1,001", batch, StatusCode::PAYLOAD_TOO_LARGE),
        ("bomb beside nothing", "[".repeat(1 << 20).into(), StatusCode::BAD_REQUEST),
    ];
    for (what, body, expected) in cases {
        refused(&system, what, "application/json", body, expected).await;
    }
    let packed: [(&str, Vec<u8>); 3] = [
        ("lying length", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("MessagePack bomb", [b"\x82\xa4kind\xa7it.work\xa7payload".as_slice(), &[0x91; 100_000]].concat()),
        ("garbage", vec![0xc1; 100]),
    ];
    for (what, body) in packed {
        refused(&system, what, "application/msgpack", body, StatusCode::BAD_REQUEST).await;
    }
    too_long(&system).await;
    // The door is still open, and nothing of all that was taken.
    let ids = [good, system.api.enqueue(task("P4", json!({}))).await];
    assert_eq!(balance(&system.api, &system.ledger, &ids, 0).await.completed, 2);
    let all: Value = system.api.get("v1/tasks").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    system.stop().await;
}

async fn refused(system: &System, what: &str, content_type: &str, body: Vec<u8>, expected: StatusCode) {
    let request =
        system.api.request(Method::POST, "v1/tasks").header(header::CONTENT_TYPE, content_type).body(body);
    let (status, answer) = system.api.ask(request).await;
    assert_eq!(status, expected, "{what}: {answer}");
    assert!(answer["code"].as_str().is_some_and(|code| code.starts_with("CP-")), "{what}: {answer}");
    assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {answer}");
}

/// 65 MB, announced and not; the server answers before it has read them, so this client listens while it
/// sends.
async fn too_long(system: &System) {
    let announced = format!("Content-Length: {}\r\n\r\n", 65 << 20);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let cases =
        [(announced, " ".into()), ("Transfer-Encoding: chunked\r\n\r\n".to_owned(), chunk.repeat(65))];
    for (end, body) in cases {
        let address = system.api.url.strip_prefix("http://").unwrap();
        let (mut answers, mut requests) = TcpStream::connect(address).await.unwrap().into_split();
        let head =
            format!("POST /v1/tasks HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{end}");
        let sending = tokio::spawn(async move {
            // It may hang up in the middle.
            let _ = requests.write_all((head + &body).as_bytes()).await;
            requests
        });
        let mut status = [0; 12];
        in_time("the refusal of 65 MB", answers.read_exact(&mut status)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 413");
        sending.abort();
    }
}

#[tokio::test]
async fn one_bad_task_does_not_lose_the_others_of_its_batch() {
    let system = System::embedded(1, Settings::quick()).await;
    let mut tasks = vec![task("P4", json!({})); 5];
    tasks[2]["priority"] = "P9".into();
    tasks[3]["payload"] = "x".repeat(300 << 10).into();
    let (status, lines) = system.api.post("v1/tasks", &Value::from(tasks)).await;
    assert_eq!(status, StatusCode::OK, "{lines}");
    assert_eq!(lines[2]["error"]["field"], "priority", "{lines}");
    assert!(lines[3]["error"]["code"].is_string(), "{lines}");
    let ids = [0, 1, 4].map(|n| serde_json::from_value::<TaskId>(lines[n]["id"].clone()).unwrap());
    assert_eq!(balance(&system.api, &system.ledger, &ids, 0).await.completed, 3);
    system.stop().await;
}

#[tokio::test]
async fn inv_1_a_full_queue_says_so_and_keeps_what_it_took_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let data = toml::Value::from(folder.path().display().to_string());
    full_queue(Settings::quick().with(&format!("embedded.data = {data}"))).await;
}

#[tokio::test]
async fn inv_1_a_full_queue_says_so_and_keeps_what_it_took_cluster() {
    full_queue(Servers::shared().settings()).await;
}

/// No worker runs, so the queues only fill: one on each kind of broker.
async fn full_queue(settings: Settings) {
    let limits = settings.with("limits.queued = 10");
    let mut system = System::apart(0, limits).await;
    let mut accepted = Vec::new();
    for priority in ["P0", "P2", "P4"] {
        accepted.extend(fill(&system, priority).await);
    }
    system.add_worker().await;
    let balance = balance(&system.api, &system.ledger, &accepted, 0).await;
    assert_eq!(balance.completed, accepted.len(), "{balance:?}");
    let strangers = system.ledger.entries().iter().filter(|entry| !accepted.contains(&entry.id)).count();
    assert_eq!(strangers, 0, "tasks ran that were refused");
    // And the door opens again.
    assert_eq!(
        system.api.finished(system.api.enqueue(task("P4", json!({}))).await).await.state,
        State::Completed
    );
    assert!(accepted.iter().all(|id| system.ledger.times(*id, Event::Start) == 1));
    system.stop().await;
}

/// Enqueues until it is refused. A queue may take some more than its limit while its depth is on its way,
/// never without end.
async fn fill(system: &System, priority: &str) -> Vec<TaskId> {
    let mut accepted = Vec::new();
    for _ in 0..200 {
        let request = system.api.request(Method::POST, "v1/tasks").json(&task(priority, json!({})));
        let response = request.send().await.unwrap();
        let status = response.status();
        let headers = response.headers().clone();
        let answer: Value = response.json().await.unwrap();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let wait = headers[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap();
            assert!(wait >= 1, "{priority}: {answer}");
            assert!(accepted.len() >= 10, "{priority}: full after {}", accepted.len());
            return accepted;
        }
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        accepted.push(serde_json::from_value(answer["id"].clone()).unwrap());
    }
    panic!("{priority}: took {} tasks with a limit of 10", accepted.len());
}
