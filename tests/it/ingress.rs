//! The AMQP ingress of the real dispatcher.

use clawpool_core::task::{State, TaskId};
use lapin::{
    BasicProperties, Channel,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Servers, System, task, until};

#[tokio::test]
async fn tasks_come_in_over_amqp_and_garbage_goes_back_with_its_reason() {
    let servers = Servers::shared();
    let system = System::apart(1, servers.settings()).await;
    let channel = servers.amqp().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let wire = Wire { channel, prefix: servers.prefix.clone() };

    let good = [one(), one(), one(), one()];
    wire.publish("application/json", &serde_json::to_vec(&good[0]).unwrap()).await;
    wire.publish("application/msgpack", &rmp_serde::to_vec_named(&good[1]).unwrap()).await;
    wire.publish("application/json", &serde_json::to_vec(&good[2..]).unwrap()).await;

    let bomb = [b"\x82\xa4kind\xa7it.work\xa7payload".as_slice(), &[0x91; 100_000]].concat();
    let garbage: [(&str, &[u8]); 7] = [
        ("application/json", b"\xff\xfe garbage"),
        ("application/json", b""),
        ("application/json", br#"{"kind":"it.work","priority":"P9"}"#),
        ("application/msgpack", &[0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("application/msgpack", &bomb),
        ("application/msgpack", &[0xc1; 64]),
        ("application/x-unheard-of", b"{}"),
    ];
    for (content_type, body) in garbage {
        wire.publish(content_type, body).await;
        let (code, message, back) = wire.rejected().await;
        assert!(code.starts_with("CP-"), "{code}: {message}");
        assert!(!message.is_empty(), "{code}");
        assert_eq!(back, body, "{code}: {message}");
        println!("{content_type}, {} bytes: {code} {message}", body.len());
    }
    // The id of a task, and another payload.
    let other = json!({"id": good[0]["id"], "kind": "it.work", "payload": {"another": true}});
    wire.publish("application/json", &serde_json::to_vec(&other).unwrap()).await;
    let (code, message, _) = wire.rejected().await;
    assert_eq!(code, "CP-1130", "{message}");
    // One bad task of a batch comes back alone.
    let last = one();
    let batch = json!([last, {"kind": "", "payload": {}}]);
    wire.publish("application/json", &serde_json::to_vec(&batch).unwrap()).await;
    wire.rejected().await;
    for task in good.iter().chain([&last]) {
        let id: TaskId = serde_json::from_value(task["id"].clone()).unwrap();
        assert_eq!(system.api.finished(id).await.state, State::Completed);
    }
    system.stop().await;
}

#[tokio::test]
async fn the_trace_in_a_messages_headers_reaches_the_handler() {
    let servers = Servers::shared();
    let settings = servers.settings().shell("trace.show", "printf '\"%s\"' \"$TRACEPARENT $TRACESTATE\"");
    let system = System::apart(1, settings).await;
    let channel = servers.amqp().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let wire = Wire { channel, prefix: servers.prefix.clone() };
    let id = TaskId::new();
    let mut headers = FieldTable::default();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (name, value) in [("traceparent", parent), ("tracestate", "rojo=1")] {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let body = serde_json::to_vec(&json!({"id": id, "kind": "trace.show"})).unwrap();
    wire.publish_with("application/json", &body, headers).await;
    let seen = until("the task to be there and over", async || {
        let (status, task) = system.api.ask(system.api.request(Method::GET, &format!("v1/tasks/{id}"))).await;
        (status.is_success() && task["state"] == "completed").then(|| task["result"].to_string())
    })
    .await;
    assert!(seen.starts_with("\"00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{seen}");
    assert!(seen.ends_with("-01 rojo=1\"") && !seen.contains(parent), "its own span: {seen}");
    system.stop().await;
}

/// A task with an id of its producer's, as there is no answer to tell it.
fn one() -> Value {
    let mut task = task("P4", json!({}));
    task["id"] = TaskId::new().to_string().into();
    task
}

struct Wire {
    channel: Channel,
    prefix: String,
}

impl Wire {
    async fn publish(&self, content_type: &str, body: &[u8]) {
        self.publish_with(content_type, body, FieldTable::default()).await;
    }

    async fn publish_with(&self, content_type: &str, body: &[u8], headers: FieldTable) {
        let properties = BasicProperties::default().with_content_type(content_type.into());
        let properties = properties.with_delivery_mode(2).with_headers(headers);
        let exchange = format!("{}.ingress", self.prefix);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm =
            self.channel.basic_publish(exchange.into(), "".into(), options, body, properties).await.unwrap();
        assert!(confirm.await.unwrap().is_ack());
    }

    /// Code, message and body of the next one that came back.
    async fn rejected(&self) -> (String, String, Vec<u8>) {
        let queue = format!("{}.rejects", self.prefix);
        until("a rejected message", async || {
            let options = BasicGetOptions { no_ack: true };
            let message = self.channel.basic_get(queue.clone().into(), options).await.unwrap()?;
            let headers = message.properties.headers().clone().unwrap();
            let text = |name: &str| match headers.inner().get(name) {
                Some(lapin::types::AMQPValue::LongString(text)) => text.to_string(),
                other => panic!("header {name}: {other:?}"),
            };
            Some((text("code"), text("message"), message.data.clone()))
        })
        .await
    }
}
