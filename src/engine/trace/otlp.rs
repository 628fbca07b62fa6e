//! Sends spans to a collector by OTLP over HTTP, many at a time.

use std::{mem, str::FromStr, time::Duration};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};
use tokio::{
    sync::mpsc::Receiver,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Span, Step, Tracer, Value, dropped, tracer::drop_spans};
use clawpool_core::task::ProcessId;

/// Spans that may wait: about 4 MB.
const ROOM: usize = 8192;
/// Spans in one request, and how long the first of them waits for others.
const BATCH: usize = 512;
const DELAY: Duration = Duration::from_secs(1);
/// For one request, with all its tries.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what is left at the end.
const LAST: Duration = Duration::from_secs(3);
/// How often a collector that is away is told of.
const AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub(super) enum OtlpError {
    #[error("the HTTP client for spans cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    #[error("tracing.otlp_endpoint: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// The task that sends.
pub(super) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn finish(mut self) {
        self.stop.cancel();
        if timeout(LAST, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("the collector of spans did not take the last ones in {LAST:?}");
        }
    }
}

pub(super) fn start(url: String, sample: f64, service: &'static str) -> Result<(Tracer, Running), OtlpError> {
    clawpool_backends::install_tls();
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(PATIENCE)
        .with_endpoint(&url)
        .build()?;
    exporter.set_resource(&resource(service));
    let (tracer, spans) = Tracer::recording(sample, ROOM);
    let stop = CancellationToken::new();
    let sender = Sender { url, spans, exporter, told: None, version: env!("CARGO_PKG_VERSION") };
    let task = tokio::spawn(sender.run(stop.clone()));
    Ok((tracer, Running { stop, task }))
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` count too.
fn resource(service: &'static str) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", ProcessId::new().to_string()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        attributes.push(KeyValue::new("service.name", service));
    }
    Resource::builder().with_attributes(attributes).build()
}

struct Sender {
    url: String,
    spans: Receiver<Span>,
    exporter: SpanExporter,
    /// When a failure was logged last.
    told: Option<Instant>,
    version: &'static str,
}

impl Sender {
    /// Until it is told to stop; what has come by then is sent.
    async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while !stop.is_cancelled() {
            tokio::select! {
                () = gather(&mut self.spans, &mut batch) => {}
                () = stop.cancelled() => break,
            }
            self.send(mem::take(&mut batch)).await;
        }
        self.spans.close();
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
            if batch.len() == BATCH {
                self.send(mem::take(&mut batch)).await;
            }
        }
        self.send(batch).await;
    }

    async fn send(&mut self, batch: Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len();
        let spans = batch.into_iter().map(|span| data(span, self.version)).collect();
        let error = match timeout(PATIENCE, self.exporter.export(spans)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {PATIENCE:?}"),
        };
        drop_spans(count as u64);
        if self.told.is_none_or(|told| told.elapsed() >= AGAIN) {
            self.told = Some(Instant::now());
            let (url, dropped) = (&self.url, dropped());
            tracing::warn!(url, error, dropped, "the collector takes no spans; they are dropped");
        }
    }
}

/// Adds spans until there are enough, or the first has waited long enough. Loses none when it is dropped.
async fn gather(spans: &mut Receiver<Span>, batch: &mut Vec<Span>) {
    if batch.is_empty() && spans.recv_many(batch, BATCH).await == 0 {
        // Nobody makes spans any more.
        return sleep(DELAY).await;
    }
    let fill =
        async { while batch.len() < BATCH && spans.recv_many(batch, BATCH - batch.len()).await > 0 {} };
    let _ = timeout(DELAY, fill).await;
}

fn data(span: Span, version: &'static str) -> SpanData {
    let own = span.context;
    let state = span.state.as_deref().and_then(|state| TraceState::from_str(state).ok());
    let trace_id = TraceId::from_bytes(own.trace_id.to_be_bytes());
    let span_id = SpanId::from_bytes(own.span_id.to_be_bytes());
    let mut attributes: Vec<KeyValue> = span.attributes.into_iter().map(attribute).collect();
    attributes.push(KeyValue::new("clawpool.kind", span.kind.clone()));
    SpanData {
        span_context: SpanContext::new(
            trace_id,
            span_id,
            TraceFlags::SAMPLED,
            false,
            state.unwrap_or_default(),
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |id| SpanId::from_bytes(id.to_be_bytes())),
        parent_span_is_remote: span.parent.is_some(),
        span_kind: match span.step {
            Step::Enqueue => SpanKind::Producer,
            Step::Wait => SpanKind::Internal,
            Step::Attempt => SpanKind::Consumer,
        },
        name: format!("{} {}", span.step.name(), span.kind).into(),
        start_time: span.start,
        end_time: span.end,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("clawpool").with_version(version).build(),
    }
}

fn attribute((name, value): (&'static str, Value)) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(name, text),
        Value::Number(number) => KeyValue::new(name, number),
    }
}
