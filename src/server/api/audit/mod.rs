//! The audit log: every change that somebody asked for over HTTP, in the journal of the store.
//!
//! Guarantees: a change is in the log when its caller hears that it was done, also when the caller hangs up
//! before that; a change that the store did not take down is in the program's log at least; no secret is in
//! either. Never does: record single tasks that are enqueued, which keep their token's name themselves, or
//! what changed nothing.

mod list;
mod refusals;
mod trail;

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts, RawPathParams, Request},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

pub(super) use self::{
    list::{list, view},
    refusals::Refusals,
    trail::Trail,
};
use super::{
    Api,
    caller::Caller,
    error::{ApiError, ErrorCode},
    server::Peer,
};
use clawpool_backends::store::{Entry, Topic};
use clawpool_core::task::Timestamp;
use clawpool_engine::client::access::{AuditView, Outcome};

/// Runs the request, where it is allowed, and records it.
pub(super) async fn record(
    api: Arc<Api>,
    verb: &'static str,
    caller: Caller,
    allowed: Result<(), ApiError>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let address = head.extensions.get::<Peer>().map(|peer| peer.address);
    let trail = Trail::default();
    if let Some(subject) = subject(&mut head).await {
        trail.about(&subject);
    }
    head.extensions.insert(trail.clone());
    let change = Change { api, verb, by: caller.name().map(str::to_owned), address, trail };
    // A task of its own: its caller may hang up, and the change is done all the same.
    let changing = tokio::spawn(async move {
        let response = match allowed {
            Ok(()) => next.run(Request::from_parts(head, body)).await,
            Err(error) => error.into_response(),
        };
        let code = response.extensions().get::<ErrorCode>().map(|code| code.0);
        change.write_down(response.status(), code).await;
        response
    });
    changing.await.unwrap_or_else(|error| ApiError::internal(error.to_string()).into_response())
}

/// What the path names.
async fn subject(head: &mut axum::http::request::Parts) -> Option<String> {
    let named = RawPathParams::from_request_parts(head, &()).await.ok()?;
    named.iter().next().map(|(_, value)| value.to_owned())
}

struct Change {
    api: Arc<Api>,
    verb: &'static str,
    by: Option<String>,
    address: Option<IpAddr>,
    trail: Trail,
}

impl Change {
    async fn write_down(self, status: StatusCode, code: Option<&str>) {
        let Some(outcome) = outcome(status) else { return };
        let told = self.trail.told();
        if told.is_nothing_new {
            return;
        }
        if outcome == Outcome::Refused && !self.api.refusals.is_first(self.by.as_deref()) {
            return;
        }
        let view = AuditView {
            at: Timestamp::now(),
            by: self.by,
            verb: self.verb.to_owned(),
            subject: told.subject,
            parameters: told.parameters,
            address: self.address,
            outcome,
            status: status.as_u16(),
            code: code.map(str::to_owned),
        };
        log(&view);
        let Ok(body) = serde_json::to_value(&view) else { return };
        let entry = Entry { topic: Topic::Audit, at: view.at, subject: view.subject, body };
        if let Err(error) = self.api.store.append(None, &[entry]).await {
            tracing::warn!(code = error.code(), %error, "the audit log lacks this change");
        }
    }
}

/// None: nothing was changed.
fn outcome(status: StatusCode) -> Option<Outcome> {
    match status {
        status if status.is_success() => Some(Outcome::Done),
        StatusCode::FORBIDDEN => Some(Outcome::Refused),
        status if status.is_server_error() => Some(Outcome::Failed),
        _ => None,
    }
}

fn log(view: &AuditView) {
    let AuditView { by, verb, subject, parameters, address, outcome, status, .. } = view;
    let by = by.as_deref().unwrap_or_default();
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(by, verb, subject, %parameters, address, ?outcome, status, "a change over HTTP");
}
