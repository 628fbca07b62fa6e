//! HTML on its way to a browser, with what the browser must not do with it.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::refusal::Refusal;

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, HEADERS, text).into_response(),
        // A page that cannot be written: not even one that says so.
        Err(error) => {
            let Refusal { status, view } = Refusal::unreadable(&error);
            (status, view.message).into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "bounce.html")]
struct Bounce {
    address: String,
}

/// Leads to the same page once more: then the link is one of ours, and the browser sends its cookie.
pub(super) fn bounce(head: &Parts) -> Response {
    let address = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    page(StatusCode::OK, &Bounce { address })
}
