use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::{Api, error::ApiError};
use crate::config::{Scope, Token};

/// Who asks, and what they may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    scopes: Vec<Scope>,
}

impl Caller {
    const ALL: [Scope; 4] = [Scope::Enqueue, Scope::Priority, Scope::Read, Scope::Admin];

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Goes on when the caller has one of the scopes.
    pub(super) fn needs(&self, any: &[Scope]) -> Result<(), ApiError> {
        if any.iter().any(|scope| self.may(*scope)) {
            return Ok(());
        }
        let names = any.iter().map(|scope| format!("{scope:?}").to_lowercase()).collect::<Vec<_>>().join(" or ");
        Err(ApiError::forbidden(format!("this token lacks the scope {names}: add it to its scopes in [[api.tokens]]")))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::unauthorised("nobody said who asks"))
    }
}

/// Lets a request in: with a known token or, where no tokens are configured, from this machine's own programs.
pub(super) async fn admit(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let tokens = &api.config.api.tokens;
    let caller = match tokens.as_slice() {
        [] => local(&request),
        // Probes carry no token, and learn nothing here that they must not.
        _ if request.uri().path() == "/health" => return next.run(request).await,
        tokens => bearer(tokens, request.headers()),
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn bearer(tokens: &[Token], headers: &HeaderMap) -> Result<Caller, ApiError> {
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        ApiError::unauthorised("a token is needed: send the header Authorization: Bearer TOKEN (CLAWPOOL_TOKEN)")
    })?;
    let given = value.as_bytes();
    let given = match given.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => return Err(ApiError::unauthorised("the Authorization header must read: Bearer TOKEN")),
    };
    // Every token is compared, and in constant time: how long it takes says nothing about any of them.
    let known = tokens.iter().fold(None, |known, token| {
        let same = bool::from(token.secret.expose_secret().as_bytes().ct_eq(given));
        if same { Some(token) } else { known }
    });
    let token = known.ok_or_else(|| ApiError::unauthorised("this token is not known here"))?;
    Ok(Caller { scopes: token.scopes.clone() })
}

/// Without tokens everybody on this machine may do everything, but not every web page that its browser shows: a page
/// of another origin names itself in `Origin`, and one that had its own name point to this machine in `Host`.
fn local(request: &Request) -> Result<Caller, ApiError> {
    let header = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let host = request.uri().authority().map(ToString::to_string).or_else(|| header(header::HOST));
    if let Some(host) = &host
        && !is_local(host)
    {
        let message =
            format!("the Host header names {host:?}: use localhost or an IP address, or configure api.tokens");
        return Err(ApiError::forbidden(message));
    }
    if let Some(origin) = header(header::ORIGIN)
        && origin.split_once("://").map(|(_, authority)| authority) != host.as_deref()
    {
        let message =
            format!("requests from web pages of {origin:?} are refused: configure api.tokens to allow others");
        return Err(ApiError::forbidden(message));
    }
    Ok(Caller { scopes: Caller::ALL.to_vec() })
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
        for host in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:7070", "[::1]", "192.168.0.7:80"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "evil.example:7070", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!is_local(host), "{host}");
        }
    }
}
