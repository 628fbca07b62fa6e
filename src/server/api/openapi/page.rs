//! Serves the document, and a page to read it.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// The document.
pub(in crate::api) async fn json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], super::text()).into_response()
}

/// A page to read it.
pub(in crate::api) async fn read() -> Response {
    // What the page has in it, and this server: nothing from elsewhere.
    let policy =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, include_str!("page.html")).into_response()
}
