//! Rules that every request must keep, checked before its route.

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};

use super::{body, error::ApiError};

/// Headers of which one is read: of two, another program on the way may have read the other.
const SINGLE: [HeaderName; 5] =
    [header::HOST, header::AUTHORIZATION, header::CONTENT_TYPE, header::CONTENT_LENGTH, header::ORIGIN];

pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    for name in &SINGLE {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(ApiError::malformed(format!(
                "the header {name} is given more than once: send it once"
            )));
        }
    }
    if let (Some(named), Some(host)) = (uri.authority(), headers.get(header::HOST))
        && !named.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes())
    {
        let message =
            format!("the request is for {named}, and its Host header names another: send one of them");
        return Err(ApiError::malformed(message));
    }
    // Web pages may send forms to other sites, and plain text, but neither JSON nor MessagePack without being
    // asked first.
    if !method.is_safe() {
        body::format(headers)?;
    }
    Ok(())
}
