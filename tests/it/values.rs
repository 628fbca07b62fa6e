//! What a producer sends is what a rule and a handler see, at every entrance, or it is refused with its
//! place.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{Settings, System, in_time};

/// Answers with its whole input, as it was.
async fn system() -> System {
    let rule =
        "[[rules]]\nkinds = [\"echo\"]\nfield = { path = \"plan\", equals = \"gold\" }\npriority = \"P1\"";
    System::embedded(1, Settings::quick().with(rule).shell("echo", "cat")).await
}

async fn send(system: &System, content_type: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let request = system.api.request(Method::POST, "v1/tasks").header(header::CONTENT_TYPE, content_type);
    system.api.ask(request.body(body)).await
}

fn assert_refused(answer: &(StatusCode, Value), field: &str) {
    assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{}", answer.1);
    assert_eq!(answer.1["field"], field, "{}", answer.1);
    assert!(answer.1["code"].as_str().is_some_and(|code| code.starts_with("CP-11")), "{}", answer.1);
}

/// What the handler of an accepted task read, byte by byte.
async fn seen(system: &System, answer: &(StatusCode, Value)) -> String {
    assert_eq!(answer.0, StatusCode::CREATED, "{}", answer.1);
    let path = format!("v1/tasks/{}?wait=30s", answer.1["id"].as_str().unwrap());
    let response = in_time("the result", system.api.request(Method::GET, &path).send()).await.unwrap();
    response.text().await.unwrap()
}

fn packed(payload: &[u8]) -> Vec<u8> {
    [b"\x82\xa4kind\xa4echo\xa7payload", payload].concat()
}

#[tokio::test]
async fn integers_arrive_whole_or_are_refused() {
    let system = system().await;
    for number in
        ["18446744073709551615", "-9223372036854775808", "9007199254740993", "1e300", "0.30000000000000004"]
    {
        let body = format!(r#"{{"kind":"echo","payload":{{"n":{number}}}}}"#);
        let seen = seen(&system, &send(&system, "application/json", body).await).await;
        let number = number
            .parse::<f64>()
            .ok()
            .filter(|_| number.contains(['.', 'e']))
            .map_or(number.to_owned(), |n| serde_json::to_string(&n).unwrap());
        assert!(seen.contains(&format!(r#""payload":{{"n":{number}}}"#)), "{number}: {seen}");
    }
    for number in ["18446744073709551616", "-9223372036854775809", "1234567890123456789012345", "1e400"] {
        let task = format!(r#"{{"kind":"echo","payload":{{"of":[0,{{"n":{number}}}]}}}}"#);
        assert_refused(&send(&system, "application/json", task.clone()).await, "payload.of[1].n");
        let (status, lines) = send(&system, "application/json", format!("[{task}]")).await;
        assert_eq!(
            (status, &lines[0]["error"]["field"]),
            (StatusCode::OK, &json!("payload.of[1].n")),
            "{lines}"
        );
        let payload = format!(r#"{{"of":[0,{{"n":{number}}}]}}"#);
        let said = system.cli().run(&["enqueue", "echo", &payload]).await;
        assert!(said.code == Some(2) && said.err.contains("payload.of[1].n"), "{said:?}");
        let said = system.cli().fed(&["enqueue", "--file", "-"], &task).await;
        assert!(said.code != Some(0) && said.err.contains("payload.of[1].n"), "{said:?}");
    }
    system.stop().await;
}

#[tokio::test]
async fn message_pack_extensions_and_timestamps_are_refused() {
    let system = system().await;
    let extensions: [&[u8]; 4] = [
        &[0xd4, 5, 1],
        &[0xd6, 0xff, 0x65, 0x53, 0xf1, 0],
        &[0xd7, 0xff, 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0],
        &[0xc7, 3, 9, 1, 2, 3],
    ];
    for extension in extensions {
        let body = packed(&[b"\x81\xa4when\x92\x01", extension].concat());
        assert_refused(&send(&system, "application/msgpack", body).await, "payload.when[1]");
    }
    system.stop().await;
}

#[tokio::test]
async fn nan_and_infinities_are_refused() {
    let system = system().await;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let double = [&[0x81, 0xa1, b'n', 0xcb][..], &number.to_be_bytes()].concat();
        assert_refused(&send(&system, "application/msgpack", packed(&double)).await, "payload.n");
        let single = [&[0x81, 0xa1, b'n', 0xca][..], &(number as f32).to_be_bytes()].concat();
        assert_refused(&send(&system, "application/msgpack", packed(&single)).await, "payload.n");
    }
    system.stop().await;
}

#[tokio::test]
async fn keys_that_fall_together_in_json_are_refused() {
    let system = system().await;
    let keys: [(&[u8], &str); 3] = [
        (b"\x82\x01\xa1a\xa11\xa1b", "payload.1"),
        (b"\x81\xa2in\x82\xa11\xa1b\x01\xa1a", "payload.in.1"),
        (b"\x81\xa2in\x81\xc3\xa1a", "payload.in.true"),
    ];
    for (map, field) in keys {
        assert_refused(&send(&system, "application/msgpack", packed(map)).await, field);
    }
    system.stop().await;
}

/// The rule looks at the first of two keys of one name, a JSON parser at the last.
#[tokio::test]
async fn a_key_that_stands_twice_is_refused() {
    let system = system().await;
    let cases = [
        (r#"{"plan":"gold","plan":"free"}"#, "payload.plan"),
        (r#"{"users":[{},{"plan":1,"x":2,"\u0070lan":3}]}"#, "payload.users[1].plan"),
    ];
    for (payload, field) in cases {
        let task = format!(r#"{{"kind":"echo","payload":{payload}}}"#);
        assert_refused(&send(&system, "application/json", task.clone()).await, field);
        for args in [&["enqueue", "echo", payload][..], &["enqueue", "echo", payload, "--explain"]] {
            let said = system.cli().run(args).await;
            assert!(said.code != Some(0) && said.err.contains("twice"), "{said:?}");
        }
        let said = system.cli().fed(&["enqueue", "--file", "-"], &task).await;
        assert!(said.code != Some(0) && said.err.contains("twice"), "{said:?}");
    }
    assert_refused(
        &send(&system, "application/msgpack", packed(b"\x82\xa1a\x01\xa1a\x02")).await,
        "payload.a",
    );
    let once = send(&system, "application/json", r#"{"kind":"echo","payload":{"plan":"gold"}}"#).await;
    assert_eq!(once.1["priority"], "P1", "{}", once.1);
    assert!(seen(&system, &once).await.contains(r#""payload":{"plan":"gold"}"#));
    system.stop().await;
}

#[tokio::test]
async fn a_time_in_seconds_is_not_taken_for_milliseconds() {
    let system = system().await;
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 3600;
    for field in ["not_before", "expires_at"] {
        let task = json!({"kind": "echo", field: seconds});
        assert_refused(&send(&system, "application/json", task.to_string()).await, field);
        assert_refused(
            &send(&system, "application/msgpack", rmp_serde::to_vec_named(&task).unwrap()).await,
            field,
        );
        let task = json!({"kind": "echo", field: seconds * 1000});
        assert_eq!(send(&system, "application/json", task.to_string()).await.0, StatusCode::CREATED);
    }
    let since = system.api.ask(system.api.request(Method::GET, &format!("v1/dead?since={seconds}"))).await;
    assert_refused(&since, "since");
    let filter = json!({"filter": {"until": seconds}});
    assert_refused(&system.api.post("v1/dead/discard", &filter).await, "filter.until");
    system.stop().await;
}
