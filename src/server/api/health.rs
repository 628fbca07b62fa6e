use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::Api;
use crate::health::{Findings, LoopsLook, Service, Standing, Trouble};
use clawpool_core::task::Timestamp;
use clawpool_engine::client::health::{
    HealthMetrics, HealthView, LoopsView, ProbeView, ReadyView, ReasonView, Status,
};

/// The process turns. Whatever else is wrong, a restart would mend none of it.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// Whether this dispatcher takes tasks: 503 when the store or every broker takes nothing.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    let findings = api.health.findings().await;
    let mut reasons: Vec<String> = findings
        .servers
        .iter()
        .filter(|server| !server.standing.is_up())
        .map(|server| format!("{} is {}", server.name, server.standing.told(in_full(&api))))
        .collect();
    let closing = api.closing.is_cancelled();
    if closing {
        reasons.push("this dispatcher stops".to_owned());
    }
    let ready = findings.servers.take_tasks() && !closing;
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(ReadyView { ready, reasons })).into_response()
}

/// All that is known, in one answer: 503 when the pool does not do its work.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Response {
    let view = now(&api).await;
    let status = view.status;
    let code = if status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(view)).into_response()
}

/// As this process has found it last.
pub(super) async fn now(api: &Api) -> HealthView {
    let findings = api.health.findings().await;
    view(api, findings.status(), findings)
}

fn view(api: &Api, status: Status, findings: Findings) -> HealthView {
    let in_full = in_full(api);
    let Findings { at, servers, services, troubles, ready, machine, .. } = findings;
    let mut states = BTreeMap::from([
        ("broker".to_owned(), servers.broker().told(in_full)),
        ("store".to_owned(), servers.store().told(in_full)),
    ]);
    let own = |(name, standing): (&str, &Standing)| (name.to_owned(), standing.told(in_full));
    states.extend(servers.iter().map(|server| (server.name, &server.standing)).map(own));
    states.extend(services.iter().map(|service| (service.name.as_str(), &service.standing)).map(own));
    HealthView {
        status,
        instance_id: api.instance.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timestamp: Timestamp::now(),
        services: states,
        metrics: Some(HealthMetrics {
            cpu_percent: machine.cpu.map(rounded),
            memory_percent: machine.memory.map(rounded),
            disk_percent: machine.disk.map(rounded),
            active_connections: api.connections.count(),
            queue_depth: ready,
        }),
        loops: Some(loops(api.health.loops().look())),
        probes: services.iter().map(probe).collect(),
        age_ms: Some(millis(at.elapsed())),
        reasons: troubles.into_iter().map(|trouble| reason(trouble, in_full)).collect(),
        waiting_for: None,
    }
}

/// Where callers are told apart, those who did not say who they are learn no addresses from a server's
/// errors.
fn in_full(api: &Api) -> bool {
    api.config().api.tokens.is_empty()
}

fn reason(trouble: Trouble, in_full: bool) -> ReasonView {
    let Trouble { event, subject, text, since, .. } = trouble;
    ReasonView { subject, event, code: event.code().to_owned(), text: in_full.then_some(text), since }
}

fn loops(look: LoopsLook) -> LoopsView {
    let LoopsLook { running, stuck } = look;
    let healthy = running - stuck.len();
    LoopsView { running, healthy, stuck: stuck.into_iter().map(str::to_owned).collect() }
}

fn probe(service: &Service) -> ProbeView {
    ProbeView {
        name: service.name.clone(),
        layer: service.layer,
        class: service.class,
        state: service.standing.word().to_owned(),
        failures: service.failures,
        took_ms: service.took.map(millis),
        checked_at: service.looked,
    }
}

/// To one decimal.
fn rounded(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

fn millis(span: Duration) -> u64 {
    span.as_millis().try_into().unwrap_or(u64::MAX)
}
