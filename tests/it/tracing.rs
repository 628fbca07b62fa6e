//! The spans of tasks at a collector, and what handlers see of their trace.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, routing::post};
use clawpool_core::task::TaskId;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Api, Settings, System, until};

/// Takes OTLP over HTTP.
struct Collector {
    url: String,
    requests: Received,
}

type Received = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

impl Collector {
    async fn start() -> Self {
        let requests = Received::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&requests));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests }
    }

    /// The spans of a trace with the service that sent each, in the order of their beginnings.
    fn trace(&self, id: &str) -> Vec<(String, Span)> {
        let requests = self.requests.lock().unwrap();
        let mut spans = Vec::new();
        for resource in requests.iter().flat_map(|request| &request.resource_spans) {
            let attributes = &resource.resource.as_ref().unwrap().attributes;
            let name = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
            let service = format!("{:?}", name.value);
            let all = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
            let own = all.filter(|span| hex(&span.trace_id) == id);
            spans.extend(own.map(|span| (service.clone(), span.clone())));
        }
        spans.sort_by_key(|(_, span)| (span.start_time_unix_nano, span.end_time_unix_nano));
        spans
    }
}

async fn take(State(requests): State<Received>, body: Bytes) -> Vec<u8> {
    requests.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    Vec::new()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn enqueue(api: &Api, kind: &str, headers: &[(&str, &str)]) -> TaskId {
    let request = api.request(Method::POST, "v1/tasks").json(&json!({ "kind": kind }));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (status, body) = api.ask(request).await;
    assert_eq!(status.as_u16(), 201, "{body}");
    serde_json::from_value(body["id"].clone()).unwrap()
}

async fn result(api: &Api, id: TaskId) -> Value {
    api.finished(id).await;
    api.get::<Value>(&format!("v1/tasks/{id}")).await["result"].clone()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PRODUCER: &str = "00f067aa0ba902b7";
/// Fails once, and says each time what it sees.
const FLAKY: &str = "[ $CLAWPOOL_ATTEMPT -gt 1 ] || { echo saw $TRACEPARENT >&2; exit 1; }; \
    printf '\"%s %s\"' $TRACEPARENT $TRACESTATE";

#[tokio::test]
async fn a_collector_gets_enqueue_waits_and_attempts_of_a_task_that_failed_once() {
    let collector = Collector::start().await;
    let settings = Settings::quick()
        .shell("trace.flaky", FLAKY)
        .with(&format!("tracing.otlp_endpoint = {:?}", collector.url));
    let system = System::embedded(1, settings).await;
    let api = &system.api;
    let parent = format!("00-{TRACE}-{PRODUCER}-01");
    let id = enqueue(api, "trace.flaky", &[("traceparent", &parent), ("tracestate", "rojo=1")]).await;
    let seen = result(api, id).await;
    // Without a producer's context, and with a malformed one, which counts as none.
    let own = enqueue(api, "trace.flaky", &[("traceparent", "00-nonsense")]).await;
    let seen_own = result(api, own).await;
    // What is left is sent at the end.
    system.stop().await;

    let spans = collector.trace(TRACE);
    let names: Vec<&str> = spans.iter().map(|(_, span)| span.name.split(' ').next().unwrap()).collect();
    let find = |name: &str, number: usize| {
        let mut all = spans.iter().filter(|(_, span)| span.name == format!("{name} trace.flaky"));
        all.nth(number).unwrap_or_else(|| panic!("no {name} {number} in {names:?}"))
    };
    assert_eq!(spans.len(), 5, "{names:?}");
    let (service, enqueued) = find("enqueue", 0);
    assert!(service.contains("clawpool-dispatcher"), "{service}");
    assert_eq!(hex(&enqueued.parent_span_id), PRODUCER);
    assert_eq!(enqueued.kind(), SpanKind::Producer);
    for number in [0, 1] {
        let ((_, wait), (service, attempt)) = (find("wait", number), find("attempt", number));
        assert!(service.contains("clawpool-worker"), "{service}");
        assert_eq!(wait.parent_span_id, enqueued.span_id);
        assert_eq!(attempt.parent_span_id, enqueued.span_id);
        assert_eq!(attempt.kind(), SpanKind::Consumer);
        assert_eq!((wait.trace_state.as_str(), attempt.trace_state.as_str()), ("rojo=1", "rojo=1"));
        assert!(wait.end_time_unix_nano <= attempt.start_time_unix_nano, "{wait:?} {attempt:?}");
    }
    let (first, second) = (&find("attempt", 0).1, &find("attempt", 1).1);
    let failed = first.status.as_ref().unwrap();
    let traceparent = |span: &Span| format!("00-{TRACE}-{}-01", hex(&span.span_id));
    assert_eq!(failed.code(), StatusCode::Error);
    assert!(failed.message.contains(&format!("saw {}", traceparent(first))), "{}", failed.message);
    assert_eq!(seen, json!(format!("{} rojo=1", traceparent(second))), "what the program saw");

    let trace = own.to_string().replace('-', "");
    let spans = collector.trace(&trace);
    assert_eq!(spans.len(), 5, "{spans:?}");
    assert!(spans.iter().any(|(_, span)| span.parent_span_id.is_empty()), "the trace begins with it");
    assert!(seen_own.as_str().unwrap().starts_with(&format!("00-{trace}-")), "{seen_own}");
}

#[tokio::test]
async fn a_collector_that_is_away_costs_no_task_and_is_told() {
    let nobody = format!("http://127.0.0.1:{}", crate::support::free_port());
    let settings =
        Settings::quick().shell("trace.flaky", FLAKY).with(&format!("tracing.otlp_endpoint = {nobody:?}"));
    let system = System::embedded(1, settings).await;
    let api = &system.api;
    let id = enqueue(api, "trace.flaky", &[]).await;
    result(api, id).await;
    system.front.line(&["the collector takes no spans", &nobody]).await;
    until("a dropped span to be counted", async || {
        let text = api.request(Method::GET, "metrics").send().await.ok()?.text().await.ok()?;
        text.contains("clawpool_spans_dropped_total 1\n").then_some(())
    })
    .await;
    system.stop().await;
}
