//! The AMQP ingress against a real RabbitMQ, with everything that a producer may get wrong.

use std::{process::Stdio, sync::Arc, time::Duration};

use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions},
    types::AMQPValue,
};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::Ingress;
use clawpool_backends::{
    broker::{
        Broker,
        conformance::{eventually, guarded},
        rabbitmq::{IngressMessage, IngressQueue, RabbitBroker, testing::Rabbit},
    },
    path,
    store::{self, Store, Topic},
};
use clawpool_core::{
    config::{Backend, Config, Profile, QueueSettings},
    task::{ProcessId, Queue, TaskId},
};
use clawpool_engine::dispatch::Producer;

/// A dispatcher's ingress, everything on RabbitMQ but the records.
struct Site {
    rabbit: Rabbit,
    broker: Arc<RabbitBroker>,
    store: Arc<dyn Store>,
    channel: Channel,
    _ingress: AbortOnDropHandle<()>,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn open(mut config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config.embedded.data = folder.path().into();
        let store = store::open(&config).await.unwrap();
        config.profile = Profile::Cluster;
        config.lanes.critical = Backend::Rabbitmq;
        let rabbit = Rabbit::fresh(config).await;
        let broker = Arc::new(rabbit.open().await);
        let producer =
            Producer::new(&rabbit.config, path::over(broker.clone(), store.clone()), store.clone());
        let config = rabbit.config.clone();
        let alerts = store.clone();
        let ingress = Ingress::open(config.into()).await;
        let serve = async move { ingress.serve(&producer, &*alerts, &CancellationToken::new()).await };
        let ingress = AbortOnDropHandle::new(tokio::spawn(serve));
        let channel = rabbit.channel().await;
        let site = Self { rabbit, broker, store, channel, _ingress: ingress, _folder: folder };
        assert!(site.is_open().await, "a producer finds the exchange as soon as the ingress is open");
        site
    }

    /// Whether a producer finds the exchange.
    async fn is_open(&self) -> bool {
        let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let kind = lapin::ExchangeKind::Fanout;
        let channel = self.rabbit.channel().await;
        let found = channel.exchange_declare(self.name("ingress"), kind, passive, Default::default()).await;
        eventually(async || self.broker.depth(Queue::P4).await.is_ok()).await;
        found.is_ok()
    }

    fn name(&self, name: &str) -> lapin::types::ShortString {
        format!("{}.{name}", self.rabbit.config.rabbitmq.prefix).into()
    }

    async fn send(&self, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        self.channel
            .basic_publish(self.name("ingress"), "any".into(), options, body, properties)
            .await
            .unwrap();
    }

    async fn ready(&self, queue: Queue) -> u64 {
        self.broker.depth(queue).await.unwrap().ready
    }

    async fn next_reject(&self) -> Delivery {
        loop {
            let got =
                self.channel.basic_get(self.name("rejects"), BasicGetOptions { no_ack: true }).await.unwrap();
            match got {
                Some(got) => return got.delivery,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

fn header(delivery: &Delivery, key: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(key)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_enqueued_and_the_bad_ones_come_back_with_the_reason() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let id = TaskId::new();
        let named = BasicProperties::default().with_message_id(id.to_string().into());
        let task = br#"{"kind": "email.send", "payload": {"to": "a@b.c"}}"#;
        site.send(task, named.clone()).await;
        site.send(task, named.clone()).await;
        site.send(br#"{"kind": "email.send"}"#, named).await;
        let other = site.next_reject().await;
        assert_eq!(header(&other, "field").as_deref(), Some("id"), "a task of its own with a known id");
        let many = json!([
            {"kind": "a"},
            {"kind": "b", "priority": "P9"},
            {"kind": "c", "priority": 4},
            {"kind": "d d"},
        ]);
        site.send(&rmp_serde::to_vec_named(&many).unwrap(), BasicProperties::default()).await;

        let first = site.next_reject().await;
        let second = site.next_reject().await;
        let mut fields = [header(&first, "field"), header(&second, "field")].map(Option::unwrap);
        fields.sort();
        assert_eq!(fields, ["kind", "priority"]);
        assert!(header(&first, "code").unwrap().starts_with("CP-1") && header(&first, "message").is_some());
        assert_eq!(first.properties.content_type().as_ref().unwrap().as_str(), "application/msgpack");
        eventually(async || site.ready(Queue::P4).await == 3).await;
        assert_eq!(site.store.record(id).await.unwrap().unwrap().kind, "email.send");
    })
    .await;
}

/// Action a handler would see as another value, and what a rule and a handler would see differently, comes
/// back as it came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_would_change_come_back_with_their_place() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let bodies: [(&[u8], &str); 6] = [
            (br#"{"kind": "a", "payload": {"n": [18446744073709551616]}}"#, "payload.n[0]"),
            (br#"{"kind": "a", "payload": {"plan": "gold", "plan": "free"}}"#, "payload.plan"),
            (br#"{"kind": "a", "not_before": 1900000000}"#, "not_before"),
            (b"\x82\xa4kind\xa1a\xa7payload\x81\xa1t\xd6\xff\x65\x53\xf1\x00", "payload.t"),
            (b"\x82\xa4kind\xa1a\xa7payload\x81\xa1n\xca\x7f\xc0\x00\x00", "payload.n"),
            (b"\x82\xa4kind\xa1a\xa7payload\x82\x01\xa1a\xa11\xa1b", "payload.1"),
        ];
        for (body, field) in bodies {
            site.send(body, BasicProperties::default()).await;
            let reject = site.next_reject().await;
            assert_eq!((header(&reject, "field").as_deref(), reject.data.as_slice()), (Some(field), body));
        }
        assert_eq!(site.ready(Queue::P4).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_comes_back_and_the_ingress_stays_open() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let bodies: [&[u8]; 6] = [
            b"",
            b"\xff\x00\xfe",
            b"{\"kind\":",
            &[b"{\"kind\":\"a\",\"payload\":".to_vec(), b"[".repeat(100_000)].concat(),
            &[b"\x82\xa4kind\xa1a\xa7payload".to_vec(), b"\x91".repeat(100_000)].concat(),
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1],
        ];
        for body in bodies {
            site.send(body, BasicProperties::default()).await;
        }
        for body in bodies {
            assert_eq!(site.next_reject().await.data, body);
        }
        site.send(br#"{"kind": "email.send"}"#, BasicProperties::default()).await;
        eventually(async || site.ready(Queue::P4).await == 1).await;
    })
    .await;
}

/// Headers nested fifteen thousand deep: more than a decoder that calls itself has stack for.
const ABSURD: &str = r#"
import struct, sys, pika
from pika import BasicProperties

class Deep(BasicProperties):
    def encode(self):
        table = b""
        for _ in range(15000):
            table = b"\x00F" + struct.pack(">I", len(table)) + table
        return [struct.pack(">H", 1 << 13), struct.pack(">I", len(table)), table]

connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
connection.channel().basic_publish(sys.argv[2], "", b'{"kind": "email.send"}', Deep())
connection.close()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_headers_do_not_kill_the_dispatcher() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let python =
            std::env::var("CLAWPOOL_TEST_PYTHON").expect("CLAWPOOL_TEST_PYTHON is not set: run tests/run");
        let url = clawpool_backends::broker::rabbitmq::testing::server();
        let exchange = site.name("ingress");
        let mut publish = tokio::process::Command::new(python);
        publish.args(["-c", ABSURD, &url, exchange.as_str()]).stdin(Stdio::null());
        assert!(publish.status().await.unwrap().success());
        site.send(br#"{"kind": "email.send"}"#, BasicProperties::default()).await;
        eventually(async || site.ready(Queue::P4).await >= 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_holds_messages_at_the_ingress_and_loses_none() {
    guarded(async {
        let mut config = Config::default();
        config.queues.push(QueueSettings {
            name: Queue::P4.name().into(),
            limit: Some(1),
            ..QueueSettings::default()
        });
        let site = Site::open(config).await;
        for kind in ["a", "b", "c"] {
            site.send(json!({ "kind": kind }).to_string().as_bytes(), BasicProperties::default()).await;
        }
        let mut consumer = site.broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        let mut kinds = Vec::new();
        while kinds.len() < 3 {
            for delivery in consumer.next(1).await.unwrap() {
                kinds.push(delivery.message.task().unwrap().kind);
                site.broker.ack(vec![delivery.receipt]).await.unwrap();
            }
        }
        kinds.sort();
        assert_eq!(kinds, ["a", "b", "c"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_example_enqueues() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let python =
            std::env::var("CLAWPOOL_TEST_PYTHON").expect("CLAWPOOL_TEST_PYTHON is not set: run tests/run");
        let url = clawpool_backends::broker::rabbitmq::testing::server();
        let mut example = tokio::process::Command::new(python);
        example.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/python/amqp_producer.py"));
        example.args([&url, "email.send", r#"{"to": "a@b.c"}"#, &site.rabbit.config.rabbitmq.prefix]);
        let output = example.stdin(Stdio::null()).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let id: TaskId = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        eventually(async || {
            site.store.record(id).await.unwrap().is_some_and(|record| record.kind == "email.send")
        })
        .await;
    })
    .await;
}

/// A header that no frame holds would end the connection, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_longer_than_a_frame_are_cut_and_come_back() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let [long, longer] = [20_000, 200_000].map(|length| "r".repeat(length));
        let bodies = [
            json!({"kind": "a", "retry": long}).to_string(),
            json!({"kind": "a", "retry": longer}).to_string(),
            json!({"kind": "a", longer.as_str(): 1}).to_string(),
            json!({"kind": "a", "delay": longer}).to_string(),
            json!([{"kind": "a", "retry": longer}, {"kind": "b"}]).to_string(),
        ];
        for body in &bodies {
            site.send(body.as_bytes(), BasicProperties::default()).await;
        }
        // More of them than the server leaves with the ingress at once.
        for _ in 0..130 {
            site.send(bodies[0].as_bytes(), BasicProperties::default()).await;
        }
        for _ in 0..bodies.len() + 130 {
            let back = site.next_reject().await;
            assert!(header(&back, "message").unwrap().len() > 20 && header(&back, "code").is_some());
            assert!(
                back.properties.headers().as_ref().unwrap().inner().get("x-death").is_none(),
                "the server gave it up"
            );
        }
        site.send(br#"{"kind": "email.send"}"#, BasicProperties::default()).await;
        eventually(async || site.ready(Queue::P4).await == 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_headers_disturb_no_other_message() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let ids: Vec<TaskId> = (0..21).map(|_| TaskId::new()).collect();
        for (index, id) in ids.iter().enumerate() {
            let mut properties = BasicProperties::default().with_message_id(id.to_string().into());
            if index == 10 {
                let mut headers = lapin::types::FieldTable::default();
                headers.insert("big".into(), AMQPValue::LongString("v".repeat(50_000).into()));
                properties = properties.with_headers(headers);
            }
            site.send(br#"{"kind": "email.send"}"#, properties).await;
        }
        for id in ids {
            eventually(async || site.store.record(id).await.unwrap().is_some()).await;
        }
        eventually(async || site.ready(Queue::P4).await == 21).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correlation_id_comes_back_with_what_it_names() {
    guarded(async {
        let site = Site::open(Config::default()).await;
        let named = BasicProperties::default().with_correlation_id("order 7".into());
        for body in ["nonsense", r#"{"kind": ""}"#, r#"[{"kind": "a b"}, {"king": 1}]"#] {
            site.send(body.as_bytes(), named.clone()).await;
        }
        for _ in 0..4 {
            let back = site.next_reject().await;
            assert_eq!(back.properties.correlation_id().as_ref().unwrap().as_str(), "order 7");
        }
    })
    .await;
}

/// Bytes of all messages that are open at once, whatever their number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_messages_come_as_there_is_room_and_none_is_lost() {
    guarded(async {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let mut ingress = IngressQueue::open(&rabbit.config.rabbitmq).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(500), ingress.next(0)).await;
        let channel = rabbit.channel().await;
        let exchange: lapin::types::ShortString = format!("{}.ingress", rabbit.config.rabbitmq.prefix).into();
        let mut sent = Vec::new();
        for index in 0..60_u8 {
            let length = if index % 5 == 0 { 5 << 20 } else { 10_000 };
            let exchange = exchange.clone();
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let body = vec![index; length];
            channel
                .basic_publish(exchange, "".into(), options, &body, BasicProperties::default())
                .await
                .unwrap();
            sent.push((index, length));
        }
        let mut open = Vec::new();
        let mut came = Vec::new();
        let mut most = 0;
        while came.len() < sent.len() {
            let held: u64 = open.iter().map(|message: &IngressMessage| message.body.len() as u64).sum();
            most = held.max(most);
            match tokio::time::timeout(Duration::from_millis(300), ingress.next(held)).await {
                Ok(messages) => open.extend(messages.unwrap()),
                Err(_) => {
                    came.extend(open.iter().map(|message| (message.body[0], message.body.len())));
                    ingress.ack(&open);
                    open.clear();
                }
            }
        }
        came.sort_unstable();
        assert_eq!(came, sent, "each once and whole");
        assert!((10 << 20..=32 << 20).contains(&most), "{most}");
    })
    .await;
}

/// A queue that was declared with other arguments, or rights that were revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingress_that_the_server_refuses_is_an_alert() {
    guarded(async {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.embedded.data = folder.path().into();
        let store = store::open(&config).await.unwrap();
        config.profile = Profile::Cluster;
        config.lanes.critical = Backend::Rabbitmq;
        let rabbit = Rabbit::fresh(config).await;
        let channel = rabbit.channel().await;
        let name = format!("{}.v1.ingress", rabbit.config.rabbitmq.prefix);
        let otherwise = lapin::options::QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(name.as_str().into(), otherwise, Default::default()).await.unwrap();
        let producer = Producer::new(
            &rabbit.config,
            path::over(Arc::new(rabbit.open().await), store.clone()),
            store.clone(),
        );
        let config = rabbit.config.clone();
        let alerts = store.clone();
        let ingress = Ingress::open(config.into()).await;
        let serve = async move { ingress.serve(&producer, &*alerts, &CancellationToken::new()).await };
        let _serving = AbortOnDropHandle::new(tokio::spawn(serve));
        let told = async || store.journal(Topic::Alert, Some("ingress"), None, 10).await.unwrap().items;
        eventually(async || !told().await.is_empty()).await;
        let text = told().await[0].body["text"].to_string();
        assert!(text.contains("refused") && text.contains(&name), "{text}");
    })
    .await;
}
