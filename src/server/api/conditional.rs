//! Answers that a client has already: `ETag` and `If-None-Match`.
//!
//! Guarantees: an answer to GET that is the same as the one whose tag the client sends is 304, without a
//! body; a client that sends no tag is answered as ever. Never does: look at streams, and answers that are
//! not JSON.

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ring::digest::{SHA256, digest};

use super::error::ApiError;

/// Who keeps an answer asks before it is shown again.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Gives each whole JSON document a tag made of its bytes, and leaves out those that the client has.
pub(super) async fn conditional(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let known = KnownTags::in_headers(request.headers());
    let response = next.run(request).await;
    if response.status() != StatusCode::OK || !is_json(&response) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(error) => return ApiError::internal(format!("an answer broke off: {error}")).into_response(),
    };
    let tag = tag(&bytes);
    let is_known = known.have(&tag);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, tag);
        head.headers.insert(header::CACHE_CONTROL, REVALIDATE);
    }
    if is_known {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(bytes))
}

/// Whether all of it is there, and JSON.
fn is_json(response: &Response) -> bool {
    let named = response.headers().get(header::CONTENT_TYPE);
    response.body().size_hint().exact().is_some() && named.is_some_and(|named| named == "application/json")
}

/// A weak one: the answers mean the same.
fn tag(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let digits: String = hash.as_ref()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{digits}\"")
}

/// The tags of the answers that a client has.
struct KnownTags(Vec<Vec<u8>>);

impl KnownTags {
    fn in_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter().flat_map(|value| {
            value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).map(<[u8]>::to_vec)
        });
        Self(values.collect())
    }

    /// As RFC 9110 compares them here: weak ones are like strong ones, and a star is any.
    fn have(&self, tag: &str) -> bool {
        let bare = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        self.0.iter().any(|known| known == b"*" || bare(known) == bare(tag.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_lists_weak_or_strong() {
        let known = |value: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
            KnownTags::in_headers(&headers)
        };
        for value in [r#"W/"a""#, r#""a""#, r#""b", W/"a""#, "*"] {
            assert!(known(value).have(r#"W/"a""#), "{value}");
        }
        for value in [r#"W/"b""#, "a", "", r#""a"#] {
            assert!(!known(value).have(r#"W/"a""#), "{value}");
        }
    }

    #[test]
    fn a_tag_is_that_of_the_bytes() {
        assert_eq!(tag(b"a"), tag(b"a"));
        assert_ne!(tag(b"a"), tag(b"b"));
        assert!(tag(b"a").starts_with("W/\""));
    }
}
