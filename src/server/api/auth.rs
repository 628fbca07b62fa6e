//! Who asks, and whether they may.
//!
//! Guarantees: a handler runs only when the caller has shown who it is and has the scope that its route asks
//! for, and every change leaves a trace; where nothing may be changed, nothing is. Never does: tell an
//! unknown caller more than that it is unknown.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::SecretString;

use super::{
    Api, audit,
    caller::Caller,
    error::ApiError,
    headers,
    routes::{Access, Changes},
    server::Peer,
    tokens::{Unusable, hash},
};
use crate::dashboard::{origin, session};

/// Lets a request in to a route: with a token that has the scope or, where no tokens are configured, from
/// this machine's own programs.
pub(super) async fn admit(
    State((api, access)): State<(Arc<Api>, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let caller = caller(&api, &access, &head).await;
    let mut request = Request::from_parts(head, body);
    let caller = match caller {
        // Probes carry no token, and learn nothing here that they must not.
        Ok(None) => return next.run(request).await,
        Ok(Some(caller)) => caller,
        Err(error) => return error.into_response(),
    };
    if let Some(Peer { activity, .. }) = request.extensions().get() {
        activity.mark_authenticated();
    }
    request.extensions_mut().insert(caller.clone());
    let allowed = allowed(&api, &access, &caller);
    match (access.changes, allowed) {
        (Changes::Audited(verb), allowed) => audit::record(api, verb, caller, allowed, request, next).await,
        (_, Err(error)) => error.into_response(),
        (_, Ok(())) => next.run(request).await,
    }
}

/// None: the route is for everybody.
async fn caller(api: &Api, access: &Access, head: &Parts) -> Result<Option<Caller>, ApiError> {
    headers::check(&head.method, &head.uri, &head.headers)?;
    if api.tokens.are_required() {
        if access.needs.is_none() {
            return Ok(None);
        }
        let given = given(&head.headers)?;
        if given.is_from_browser {
            own_page(head)?;
        }
        return known(api, head, &given.secret).await.map(Some);
    }
    local(head)?;
    match bearer(&head.headers) {
        // Who shows a token is held to it.
        Ok(given) if access.needs.is_some() => known(api, head, given).await.map(Some),
        _ => Ok(Some(Caller::everyone())),
    }
}

fn allowed(api: &Api, access: &Access, caller: &Caller) -> Result<(), ApiError> {
    caller.needs(access.needs.unwrap_or_default())?;
    if api.config().api.read_only && access.changes != Changes::Nothing {
        let message = "this dispatcher changes nothing over HTTP: api.read_only is set";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "CP-1414", message));
    }
    Ok(())
}

/// The token that a request shows.
fn bearer(headers: &HeaderMap) -> Result<&[u8], ApiError> {
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        ApiError::unauthorised(
            "a token is needed: send the header Authorization: Bearer TOKEN (CLAWPOOL_TOKEN)",
        )
    })?;
    match value.as_bytes().split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Ok(token.trim_ascii()),
        _ => Err(ApiError::unauthorised("the Authorization header must read: Bearer TOKEN")),
    }
}

/// A token that a request shows.
struct Given<'a> {
    secret: Cow<'a, [u8]>,
    /// Its browser sends it with every request to this server, whichever page it shows.
    is_from_browser: bool,
}

/// The token of the header, or else that of the cookie with which somebody has signed in.
fn given(headers: &HeaderMap) -> Result<Given<'_>, ApiError> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(secret) = session::secret(headers)
    {
        return Ok(Given { secret: secret.into(), is_from_browser: true });
    }
    bearer(headers).map(|secret| Given { secret: secret.into(), is_from_browser: false })
}

/// The token that a request shows, if it shows one.
pub(super) fn secret(headers: &HeaderMap) -> Option<SecretString> {
    let given = given(headers).ok()?;
    String::from_utf8(given.secret.into_owned()).ok().map(SecretString::from)
}

/// What the token is known by that a request shows, if it shows one.
pub(super) fn shown(headers: &HeaderMap) -> Option<String> {
    given(headers).ok().map(|given| hash(&given.secret))
}

async fn known(api: &Api, head: &Parts, given: &[u8]) -> Result<Caller, ApiError> {
    let unusable = match api.tokens.find(given).await {
        Ok(caller) => return Ok(caller),
        Err(unusable) => unusable,
    };
    match unusable {
        Unusable::Unknown => {
            slow(api, head.extensions.get()).await;
            Err(ApiError::unauthorised("this token is not known here"))
        }
        Unusable::Expired(at) => {
            let message = format!("this token expired at {at}: make another one (clawpool tokens add)");
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "CP-1413", message))
        }
        // It may be a good one; a guesser gains nothing by it.
        Unusable::Unread(error) => {
            slow(api, head.extensions.get()).await;
            Err(error.into())
        }
    }
}

/// Wrong tokens from one address are answered later and later.
async fn slow(api: &Api, peer: Option<&Peer>) {
    let Some(Peer { address, activity }) = peer else { return };
    let wait = api.wrong_tokens.note(*address);
    if !wait.is_zero() {
        activity.wait_idle(wait).await;
    }
}

/// Without tokens every program on this machine may do everything, but not every web page that its browser
/// shows: a page of another origin names itself in `Origin`, and one that had its own name point to this
/// machine in `Host`.
fn local(head: &Parts) -> Result<(), ApiError> {
    if let Some(host) = origin::host(head)
        && !is_local(&host)
    {
        let message = format!(
            "the Host header names {host:?}: use localhost or an IP address, or configure api.tokens"
        );
        return Err(ApiError::forbidden(message));
    }
    not_elsewhere(head, ": configure api.tokens to allow others")
}

/// Goes on where the request comes from a page of this server: a browser shows its cookie to others as well.
fn own_page(head: &Parts) -> Result<(), ApiError> {
    not_elsewhere(head, "")?;
    if head.method.is_safe() || head.headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let message =
        "a change with a cookie needs the header Origin, which browsers send: use a token without one";
    Err(ApiError::forbidden(message))
}

/// Goes on where no page of another origin has sent this. `fix`: what would allow it.
fn not_elsewhere(head: &Parts, fix: &str) -> Result<(), ApiError> {
    match origin::elsewhere(head) {
        None => Ok(()),
        Some(from) => Err(ApiError::forbidden(format!("requests from web pages {from} are refused{fix}"))),
    }
}

/// Whether no name service had a say in where this host is.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_cannot_be_pointed_elsewhere_are_local() {
        for host in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:7070", "[::1]", "192.168.0.7:80"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:7070", "localhost.evil.example", "127.0.0.1.evil.example", ""]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
