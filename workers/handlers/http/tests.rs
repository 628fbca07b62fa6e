use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::testing::{self, Attempt};

const LIMIT: usize = 4096;

/// One request as the service saw it.
struct Seen {
    head: String,
    body: Value,
}

/// A service on a port of its own.
struct Service {
    listener: TcpListener,
    handler: Http,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut spec = testing::http(&format!("http://{}/tasks?key=hidden", listener.local_addr().unwrap()));
        spec.headers.insert("Authorization".into(), "Bearer token".into());
        Self { handler: Http::new(&spec, LIMIT).unwrap(), listener }
    }

    /// Answers one request with `answer`, then closes the connection.
    async fn answer(&self, answer: &[u8]) -> Seen {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let seen = read(&mut stream).await;
        // A client that has read enough hangs up.
        let _ = stream.write_all(answer).await;
        seen
    }

    async fn exchange(&self, answer: &str) -> (Result<Payload, Failure>, Seen) {
        let attempt = Attempt::new(&json!({"to": "a@b.c"}));
        tokio::join!(self.handler.run(attempt.context), self.answer(answer.as_bytes()))
    }

    async fn failure(&self, answer: &str) -> Failure {
        self.exchange(answer).await.0.unwrap_err()
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Seen {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "the request ends early: {head}");
    }
    let head = head.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Seen { head, body: serde_json::from_slice(&body).unwrap() }
}

#[tokio::test]
async fn the_task_is_posted_and_the_answer_is_its_result() {
    let service = Service::start().await;
    let (result, seen) = service.exchange("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"sent\": 1}").await;
    assert_eq!(result.unwrap().decode::<Value>().unwrap(), json!({"sent": 1}));
    assert!(seen.head.starts_with("post /tasks?key=hidden http/1.1"), "{}", seen.head);
    for header in [
        &format!("idempotency-key: {}", seen.body["id"].as_str().unwrap()),
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate: rojo=00f067aa0ba902b7",
        "x-clawpool-attempt: 2",
        "x-clawpool-deadline: ",
        "authorization: bearer token",
        "content-type: application/json",
    ] {
        assert!(seen.head.contains(header), "{header} in {}", seen.head);
    }
    assert_eq!(seen.body["payload"], json!({"to": "a@b.c"}));
}

#[tokio::test]
async fn text_in_an_answer_is_the_result() {
    let service = Service::start().await;
    let (result, _) = service.exchange("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK").await;
    assert_eq!(result.unwrap().decode::<Value>().unwrap(), json!("OK"));
}

#[tokio::test]
async fn no_content_is_null() {
    let service = Service::start().await;
    assert!(service.exchange("HTTP/1.1 204 No Content\r\n\r\n").await.0.unwrap().is_null());
}

#[tokio::test]
async fn a_status_becomes_a_class_and_retry_after_is_kept() {
    let service = Service::start().await;
    let fault = service
        .failure("HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\nslow down")
        .await;
    assert_eq!((fault.class, fault.retry_after), (ErrorClass::RateLimit, Some(Duration::from_secs(7))));
    assert!(fault.message.contains("429") && fault.message.contains("slow down"), "{fault}");
    let refined = r#"{"error":{"class":"llm_rate_limit","message":"tokens used up","retry_after":"3s"}}"#;
    let answer = format!("HTTP/1.1 503 Away\r\ncontent-length: {}\r\n\r\n{refined}", refined.len());
    let fault = service.failure(&answer).await;
    assert_eq!((fault.class, fault.retry_after), (ErrorClass::LlmRateLimit, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let service = Service::start().await;
    let fault = service
        .failure("HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(fault.class, ErrorClass::Configuration);
    assert!(fault.message.contains("http://elsewhere/"), "{fault}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let service = Service::start().await;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n{}", "x".repeat(100_000));
    let fault = service.failure(&answer).await;
    assert!(fault.fatal && fault.message.contains("more than 4096 bytes"), "{fault}");
}

#[tokio::test]
async fn inv10_messages_hide_what_the_address_may_hold() {
    let service = Service::start().await;
    let fault = service.failure("HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\n<html></>").await;
    assert!(fault.message.contains("/tasks answered 500") && !fault.message.contains("hidden"), "{fault}");
    let torn = service.failure("").await;
    assert_eq!(torn.class, ErrorClass::Network);
    assert!(!torn.message.contains("hidden"), "{torn}");
}

#[tokio::test]
async fn an_absent_server_is_a_connection_failure() {
    let Service { listener, handler } = Service::start().await;
    drop(listener);
    let fault = handler.run(Attempt::new(&1).context).await.unwrap_err();
    assert_eq!(fault.class, ErrorClass::Connection);
    assert!(!fault.message.contains("hidden"), "{fault}");
}

/// A call that the service has accepted and never answers.
async fn hanging(service: Service, attempt: &Attempt) -> (JoinHandle<Result<Payload, Failure>>, TcpStream) {
    let Service { listener, handler } = service;
    let context = attempt.context.clone();
    let call = tokio::spawn(async move { handler.run(context).await });
    (call, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn the_deadline_ends_a_call() {
    let attempt = Attempt::with_timeout(&1, Duration::from_millis(50));
    let (call, _stream) = hanging(Service::start().await, &attempt).await;
    assert_eq!(call.await.unwrap().unwrap_err().class, ErrorClass::Timeout);
}

#[tokio::test]
async fn cancellation_breaks_a_call_off() {
    let attempt = Attempt::new(&1);
    let (call, _stream) = hanging(Service::start().await, &attempt).await;
    attempt.cancel();
    assert!(call.await.unwrap().unwrap_err().message.contains("broken off"));
}
