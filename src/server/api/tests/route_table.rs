//! Every route, and what becomes of each kind of caller there.

use reqwest::Method;
use secrecy::SecretString;

use clawpool_core::config::{
    Config, Scope,
    Scope::{Admin, Enqueue, Operate, Read},
    Token,
};

/// One route.
pub(super) struct Row {
    pub(super) method: Method,
    /// As the router has it.
    pub(super) path: &'static str,
    /// As a caller asks for it: for a task, a dead letter or the tasks of the tenant beta, where it can.
    pub(super) asked: &'static str,
    pub(super) body: &'static str,
    /// One of these scopes opens it, and no other does. None: it is open to everybody.
    pub(super) scopes: &'static [Scope],
    /// What a token for the tenant acme hears, with every scope that such a token can have.
    pub(super) of_another_tenant: u16,
    pub(super) changes: bool,
}

const NOTHING: &str = "";
const TASK: &str = r#"{"kind":"a","tenant":"beta"}"#;

#[allow(clippy::too_many_arguments)]
const fn row(
    method: Method,
    path: &'static str,
    asked: &'static str,
    body: &'static str,
    scopes: &'static [Scope],
    of_another_tenant: u16,
    changes: bool,
) -> Row {
    Row { method, path, asked, body, scopes, of_another_tenant, changes }
}

const fn look(path: &'static str, asked: &'static str, scopes: &'static [Scope], other: u16) -> Row {
    row(Method::GET, path, asked, NOTHING, scopes, other, false)
}

const fn order(path: &'static str, asked: &'static str, body: &'static str, scopes: &'static [Scope]) -> Row {
    row(Method::POST, path, asked, body, scopes, 403, true)
}

/// The task of the tenant beta that [`super::routes`] enqueues.
pub(super) const BETAS: &str = "01920000-0000-7000-8000-000000000001";
const TASK_OF_BETA: &str = "/v1/tasks/01920000-0000-7000-8000-000000000001";

pub(super) static TABLE: [Row; 53] = [
    row(Method::POST, "/v1/tasks", "/v1/tasks", TASK, &[Enqueue], 403, true),
    look("/v1/tasks", "/v1/tasks?tenant=beta", &[Read], 403),
    look("/v1/tasks/counts", "/v1/tasks/counts?tenant=beta", &[Read], 403),
    look("/v1/tasks/{id}", TASK_OF_BETA, &[Enqueue, Read], 404),
    look("/v1/tasks/{id}/logs", "/v1/tasks/01920000-0000-7000-8000-000000000001/logs", &[Enqueue, Read], 404),
    row(Method::DELETE, "/v1/tasks/{id}", TASK_OF_BETA, NOTHING, &[Enqueue, Operate], 404, true),
    order("/v1/tasks/{id}/run", "/v1/tasks/01920000-0000-7000-8000-000000000001/run", NOTHING, &[Operate]),
    order("/v1/tasks/cancel", "/v1/tasks/cancel", r#"{"all":true,"dry_run":true}"#, &[Operate]),
    order("/v1/tasks/run", "/v1/tasks/run", r#"{"all":true,"dry_run":true}"#, &[Operate]),
    order("/v1/tasks/priority", "/v1/tasks/priority", r#"{"all":true,"to":"P1","dry_run":true}"#, &[Operate]),
    row(Method::POST, "/v1/explain", "/v1/explain", TASK, &[Enqueue], 403, false),
    look("/v1/queues", "/v1/queues", &[Read], 200),
    order("/v1/queues", "/v1/queues", r#"{"name":"own","priority":"P4"}"#, &[Admin]),
    row(Method::DELETE, "/v1/queues/{queue}", "/v1/queues/own", NOTHING, &[Admin], 403, true),
    order("/v1/queues/{queue}/pause", "/v1/queues/high.p2/pause", NOTHING, &[Operate]),
    order("/v1/queues/{queue}/resume", "/v1/queues/high.p2/resume", NOTHING, &[Operate]),
    look("/v1/dead", "/v1/dead?tenant=beta", &[Read], 403),
    look("/v1/dead/export", "/v1/dead/export?tenant=beta", &[Read], 403),
    order("/v1/dead/requeue", "/v1/dead/requeue", r#"{"all":true}"#, &[Operate]),
    order("/v1/dead/discard", "/v1/dead/discard", r#"{"all":true}"#, &[Operate]),
    look("/v1/dead/{id}", "/v1/dead/01920000-0000-7000-8000-000000000001", &[Read], 404),
    look("/v1/scheduled", "/v1/scheduled", &[Read], 403),
    look("/v1/workers", "/v1/workers", &[Read], 403),
    look("/v1/workers/crashes", "/v1/workers/crashes", &[Read], 403),
    order(
        "/v1/workers/{id}/drain",
        "/v1/workers/01920000-0000-7000-8000-000000000002/drain",
        NOTHING,
        &[Operate],
    ),
    order("/v1/pools/{pool}/restart", "/v1/pools/main/restart", NOTHING, &[Operate]),
    look("/v1/hosts", "/v1/hosts", &[Read], 403),
    look("/v1/hosts/series", "/v1/hosts/series", &[Read], 403),
    look("/v1/alerts", "/v1/alerts", &[Read], 403),
    look("/v1/sla", "/v1/sla", &[Read], 200),
    look("/v1/figures", "/v1/figures", &[Read], 200),
    look("/v1/autoscaler", "/v1/autoscaler", &[Read], 200),
    look("/v1/autoscaler/history", "/v1/autoscaler/history", &[Read], 200),
    order("/v1/autoscaler/pause", "/v1/autoscaler/pause", NOTHING, &[Operate]),
    order("/v1/autoscaler/resume", "/v1/autoscaler/resume", NOTHING, &[Operate]),
    order("/v1/autoscaler/{pool}/pause", "/v1/autoscaler/main/pause", NOTHING, &[Operate]),
    order("/v1/autoscaler/{pool}/resume", "/v1/autoscaler/main/resume", NOTHING, &[Operate]),
    order("/v1/autoscaler/{pool}/scale", "/v1/autoscaler/main/scale", r#"{"size":2}"#, &[Operate]),
    look("/v1/access", "/v1/access", &Scope::ALL, 200),
    look("/v1/tokens", "/v1/tokens", &[Admin], 403),
    order("/v1/tokens", "/v1/tokens", r#"{"name":"new","scopes":["read"]}"#, &[Admin]),
    row(Method::DELETE, "/v1/tokens/{name}", "/v1/tokens/new", NOTHING, &[Admin], 403, true),
    look("/v1/audit", "/v1/audit", &[Read], 403),
    look("/v1/config", "/v1/config", &[Read], 403),
    order("/v1/config/reload", "/v1/config/reload", NOTHING, &[Admin]),
    look("/v1/doctor", "/v1/doctor", &[Read], 403),
    look("/v1/events", "/v1/events?topics=audit", &[Read], 403),
    look("/metrics", "/metrics", &[Read], 200),
    look("/openapi.json", "/openapi.json", &[], 200),
    look("/docs", "/docs", &[], 200),
    look("/livez", "/livez", &[], 200),
    look("/readyz", "/readyz", &[], 200),
    look("/health", "/health", &[], 200),
];

/// The secret of a token of [`guarded`] that has one scope.
pub(super) fn secret(scope: Scope) -> String {
    format!("one-{scope}-token")
}

/// A configuration with a token of each scope.
pub(super) fn guarded() -> Config {
    let token = |scope: Scope| Token {
        name: format!("configured-{scope}"),
        secret: SecretString::from(secret(scope)),
        scopes: vec![scope],
        tenants: vec![],
        queues: vec![],
    };
    let mut config = Config::default();
    config.api.tokens = Scope::ALL.map(token).to_vec();
    config
}
