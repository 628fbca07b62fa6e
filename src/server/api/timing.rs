use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};

use crate::telemetry::counters;

/// Notes how long each request took, by route and not by address: the number of series must not grow with the
/// tasks. Those that ask to wait are apart: how long they take says nothing of the server.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // A method that HTTP does not know is the client's own word, and no label.
    let method =
        if request.method().as_str().len() <= 7 { request.method().to_string() } else { "other".to_owned() };
    let name =
        if asks_to_wait(&request) { "clawpool_http_wait_seconds" } else { "clawpool_http_request_seconds" };
    let start = Instant::now();
    let response = next.run(request).await;
    counters::count_request();
    let labels = [("method", method), ("route", route), ("status", response.status().as_str().to_owned())];
    metrics::histogram!(name, &labels).record(start.elapsed());
    response
}

fn asks_to_wait(request: &Request) -> bool {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    uri.path() == "/v1/events" || query.split('&').any(|pair| pair.starts_with("wait="))
}
