//! Issue 2's list of bad input: a status, a code and the field, and never a 500.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{Server, answer, assert_refused};
use clawpool_core::config::{Config, Limits};

async fn server() -> Server {
    Server::cut_off(Config::default()).await
}

#[tokio::test]
async fn documents_that_are_not_json() {
    let server = server().await;
    for body in
        ["", "nonsense", "{\"kind\":", "{\"kind\":\"a\"} x", "[{\"kind\":\"a\"}", "[]", "{\"kind\":\"a\",}"]
    {
        assert_refused(&server.post_json("/v1/tasks", body).await, 400, "CP-1401", None);
    }
    let (_, body) = server.post_json("/v1/tasks", "{\n  \"kind\": oops}").await;
    assert!(body["message"].as_str().unwrap().contains("line 2 column 11"), "{body}");
    for body in
        [&b"{\"kind\":\"\xff\xfe\"}"[..], b"[{\"kind\":\"\xc3\x28\"}]", b"\xff", b"{\"kind\":\"\\ud800\"}"]
    {
        assert_refused(&server.post_json("/v1/tasks", body.to_vec()).await, 400, "CP-1401", None);
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_types_and_unknown_fields() {
    let server = server().await;
    let cases = [
        (r#"{"kind":7}"#, "kind"),
        (r#"{"payload":{}}"#, "kind"),
        (r#"{"kind":"a","prio":"P1"}"#, "prio"),
        (r#"{"kind":"a","priority":"P7"}"#, "priority"),
        (r#"{"kind":"a","priority":9}"#, "priority"),
        (r#"{"kind":"a","delay":"soon"}"#, "delay"),
        (r#"{"kind":"a","ttl":-1}"#, "ttl"),
        (r#"{"kind":"a","max_attempts":-1}"#, "max_attempts"),
        (r#"{"kind":"a","expires_at":"tomorrow"}"#, "expires_at"),
        (r#"{"kind":"a","id":"mine"}"#, "id"),
        (r#"{"kind":"a","tier":"gold"}"#, "tier"),
    ];
    for (body, field) in cases {
        assert_refused(&server.post_json("/v1/tasks", body).await, 400, "CP-1402", Some(field));
        assert_refused(&server.post_json("/v1/explain", body).await, 400, "CP-1402", Some(field));
    }
    for body in ["7", "null", "\"text\""] {
        assert_refused(&server.post_json("/v1/tasks", body).await, 400, "CP-1402", None);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_the_door_refuses() {
    let server = server().await;
    let long = "k".repeat(129);
    let large = json!({"kind": "a", "payload": "x".repeat(256 * 1024 + 1)}).to_string();
    let cases = [
        (json!({"kind": long}).to_string(), 400, "CP-1103", "kind"),
        (json!({"kind": ""}).to_string(), 400, "CP-1101", "kind"),
        (large, 413, "CP-1105", "payload"),
        (
            json!({"kind": "a", "expires_at": "2001-01-01T00:00:00Z"}).to_string(),
            400,
            "CP-1109",
            "expires_at",
        ),
    ];
    for (body, status, code, field) in cases {
        assert_refused(&server.post_json("/v1/tasks", body).await, status, code, Some(field));
    }
    server.stop().await;
}

fn nested(depth: usize) -> String {
    format!(r#"{{"kind":"a","payload":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn depth_bombs() {
    let server = server().await;
    for depth in [65, 127, 128, 100_000, 10_000_000] {
        assert_refused(&server.post_json("/v1/tasks", nested(depth)).await, 400, "CP-1106", Some("payload"));
    }
    let (status, lines) =
        server.post_json("/v1/tasks", format!("[{},{}]", nested(100_000), nested(65))).await;
    assert_eq!(status, 200);
    for line in lines.as_array().unwrap() {
        assert_eq!((&line["error"]["code"], &line["error"]["field"]), (&json!("CP-1106"), &json!("payload")));
    }
    let mut packed = vec![0x82, 0xa4, b'k', b'i', b'n', b'd', 0xa1, b'a', 0xa7];
    packed.extend(b"payload");
    packed.extend(vec![0x91; 100_000]);
    packed.push(0xc0);
    let refused = answer(server.post("/v1/tasks", "application/msgpack", packed).await).await;
    assert_refused(&refused, 400, "CP-1106", Some("payload"));
    server.stop().await;
}

#[tokio::test]
async fn message_pack_that_lies() {
    let server = server().await;
    let lies: [&[u8]; 6] = [
        b"",
        &[0xc1],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, b'k'],
        &[0x81, 0xa4, b'k', b'i', b'n', b'd', 0xa1, b'a', 0x00],
    ];
    for lie in lies {
        let (status, body) = answer(server.post("/v1/tasks", "application/msgpack", lie).await).await;
        assert!(status == 400 || status == 413, "{lie:x?}: {status} {body}");
        assert!(["CP-1401", "CP-1407"].contains(&body["code"].as_str().unwrap()), "{lie:x?}: {body}");
    }
    let wrong = rmp_serde::to_vec_named(&json!({"kind": 7})).unwrap();
    let refused = answer(server.post("/v1/tasks", "application/x-msgpack", wrong).await).await;
    assert_refused(&refused, 400, "CP-1402", Some("kind"));
    server.stop().await;
}

#[tokio::test]
async fn too_many_and_too_much() {
    let config = Config {
        limits: Limits { batch: 3, payload: bytesize::ByteSize::kib(1), ..Limits::default() },
        ..Config::default()
    };
    let server = Server::cut_off(config).await;
    let four = json!([{"kind": "a"}, {"kind": "a"}, {"kind": "a"}, {"kind": "a"}]);
    assert_refused(&server.post_json("/v1/tasks", four.to_string()).await, 413, "CP-1407", None);
    let packed = rmp_serde::to_vec_named(&four).unwrap();
    let refused = answer(server.post("/v1/tasks", "application/msgpack", packed).await).await;
    assert_refused(&refused, 413, "CP-1407", None);
    assert_refused(&server.post_json("/v1/tasks", vec![b' '; 1 << 20]).await, 413, "CP-1403", None);
    assert_eq!(unannounced(&server.address).await, "HTTP/1.1 413 Payload Too Large");
    server.stop().await;
}

/// Sends a megabyte in chunks, without a length in front; the status line of the answer.
async fn unannounced(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST /v1/tasks HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    for _ in 0..64 {
        // The server may have hung up by now; what it said is still there to read.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn addresses_methods_types_and_parameters() {
    let server = server().await;
    assert_refused(&server.call(Method::GET, "/v2").await, 404, "CP-1406", None);
    assert_refused(&server.call(Method::PUT, "/v1/tasks").await, 405, "CP-1406", None);
    assert_refused(&server.call(Method::GET, "/v1/tasks/7").await, 400, "CP-1402", Some("id"));
    assert_refused(&server.call(Method::DELETE, "/v1/tasks/%ff").await, 400, "CP-1401", None);
    assert_refused(&server.call(Method::POST, "/v1/workers/7/drain").await, 400, "CP-1402", Some("id"));
    assert_refused(&server.call(Method::POST, "/v1/queues/a%20b/pause").await, 400, "CP-1402", Some("queue"));
    for (query, field) in [
        ("state=done", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("priority=P9", "priority"),
        ("colour=red", "colour"),
        ("state=dead&state=dead", "state"),
    ] {
        assert_refused(
            &server.call(Method::GET, &format!("/v1/tasks?{query}")).await,
            400,
            "CP-1402",
            Some(field),
        );
    }
    for (query, field) in [("since=yesterday", "since"), ("reason=bored", "reason")] {
        assert_refused(
            &server.call(Method::GET, &format!("/v1/dead?{query}")).await,
            400,
            "CP-1402",
            Some(field),
        );
    }
    for wait in ["2m", "soon", "-1"] {
        let refused = server.post_json(&format!("/v1/tasks?wait={wait}"), r#"{"kind":"a"}"#).await;
        assert_refused(&refused, 400, "CP-1402", Some("wait"));
    }
    let refused = answer(server.post("/v1/tasks", "text/plain", "{\"kind\":\"a\"}").await).await;
    assert_refused(&refused, 415, "CP-1410", None);
    server.stop().await;
}

#[tokio::test]
async fn bulk_changes_say_what_they_are_for() {
    let server = server().await;
    for body in ["{}", r#"{"all":false}"#, r#"{"all":true,"ids":[]}"#, r#"{"filter":{},"ids":[]}"#] {
        assert_refused(&server.post_json("/v1/dead/discard", body).await, 400, "CP-1401", None);
    }
    let refused = server.post_json("/v1/dead/discard", r#"{"filter":{"knd":"a"}}"#).await;
    assert_refused(&refused, 400, "CP-1402", Some("filter.knd"));
    let refused = server.post_json("/v1/dead/requeue", r#"{"ids":["x"]}"#).await;
    assert_refused(&refused, 400, "CP-1402", Some("ids[0]"));
    server.stop().await;
}

#[tokio::test]
async fn one_bad_task_does_not_lose_the_others() {
    let server = server().await;
    let body = r#"[{"kind":"a","priority":"P9"},{"kind":"a"},[null,"a"],7,{"kind":"a","x":1}]"#;
    let (status, lines) = server.post_json("/v1/tasks", body).await;
    assert_eq!(status, 200);
    let codes: Vec<&Value> = lines.as_array().unwrap().iter().map(|line| &line["error"]["code"]).collect();
    // The second one was fit; here it meets a store that is away.
    assert_eq!(codes, ["CP-1402", "CP-1301", "CP-1402", "CP-1402", "CP-1402"]);
    server.stop().await;
}
