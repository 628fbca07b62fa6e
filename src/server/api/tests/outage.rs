use reqwest::Method;
use tokio::io::AsyncWriteExt;

use super::{Server, assert_refused};
use clawpool_core::{config::Config, task::TaskId};

#[tokio::test]
async fn a_server_in_trouble_says_when_to_come_back_and_claims_nothing() {
    let server = Server::cut_off(Config::default()).await;
    let task = r#"{"kind":"email.send"}"#;
    for body in [task.to_owned(), format!("[{task},{task}]")] {
        let response = server.post("/v1/tasks", "application/json", body).await;
        assert_eq!(response.status(), 503);
        let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        let body: serde_json::Value = response.json().await.unwrap();
        assert!(wait >= 1 && body["retry_after_s"] == wait, "{body}");
        assert_eq!(body["code"], "CP-1301", "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_batch_of_bad_and_delayed_tasks_keeps_their_answers_apart() {
    let server = Server::cut_off(Config::default()).await;
    let (status, lines) = server.post_json("/v1/tasks", r#"[{"kind":""},{"kind":"email.send"}]"#).await;
    assert_eq!(status, 200);
    assert!(
        lines[0]["error"]["retry_after_s"].is_null() && lines[1]["error"]["retry_after_s"] == 1,
        "{lines}"
    );
    server.stop().await;
}

#[tokio::test]
async fn every_question_to_a_silent_store_is_answered_with_503() {
    let server = Server::cut_off(Config::default()).await;
    let id = TaskId::new();
    let gets = [
        "/v1/tasks",
        "/v1/queues",
        "/v1/dead",
        "/v1/dead/export",
        "/v1/scheduled",
        "/v1/workers",
        "/v1/workers/crashes",
        "/v1/sla",
        "/v1/figures",
        "/v1/hosts",
        "/v1/hosts/series",
    ];
    for path in gets {
        assert_refused(&server.call(Method::GET, path).await, 503, "CP-1301", None);
    }
    for path in [format!("/v1/tasks/{id}"), format!("/v1/tasks/{id}?wait=1s"), format!("/v1/dead/{id}")] {
        assert_refused(&server.call(Method::GET, &path).await, 503, "CP-1301", None);
    }
    assert_refused(&server.post_json("/v1/dead/requeue", r#"{"all":true}"#).await, 503, "CP-1301", None);
    assert_refused(&server.call(Method::POST, "/v1/queues/high.p2/pause").await, 503, "CP-1301", None);
    server.stop().await;
}

/// That is when it is asked most.
#[tokio::test]
async fn metrics_have_what_the_process_knows_by_itself() {
    let server = Server::cut_off(Config::default()).await;
    let (status, text) = server.call(Method::GET, "/metrics").await;
    let text = text.as_str().unwrap();
    assert_eq!(status, 200);
    for line in ["clawpool_server_up{server=\"sqlite\"} 0\n", "process_start_time_seconds "] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(!text.contains("clawpool_queue_ready"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn health_names_what_is_down() {
    let server = Server::cut_off(Config::default()).await;
    let (status, body) = server.call(Method::GET, "/health").await;
    assert_eq!((status.as_u16(), body["status"].as_str()), (503, Some("unhealthy")));
    assert_eq!(body["services"]["broker"], "down: the test's broker does not answer: it is down");
    assert!(body["instance_id"].is_string() && body["timestamp"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_stops_half_way_does_not_keep_the_server() {
    let server = Server::cut_off(Config::default()).await;
    let mut stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: ").await.unwrap();
    // The server has taken the connection before it answers a later one.
    server.call(Method::GET, "/health").await;
    tokio::time::pause();
    server.stop().await;
}
