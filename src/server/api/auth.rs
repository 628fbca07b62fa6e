use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Api, error::ApiError, headers, server::Peer};
use clawpool_backends::store::Record;
use clawpool_core::config::{Scope, Token};
use clawpool_engine::dispatch::{ProducerToken, Rights};

/// The caller of a request, and what it may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    scopes: Arc<[Scope]>,
    /// None where no tokens are configured.
    token: Option<Arc<ProducerToken>>,
}

impl Caller {
    fn everyone() -> Self {
        let scopes = [Scope::Enqueue, Scope::Priority, Scope::Read, Scope::Admin];
        Self { scopes: scopes.into(), token: None }
    }

    fn of(token: &Token) -> Self {
        let own = ProducerToken { name: token.name.clone(), tenants: token.tenants.clone() };
        Self { scopes: token.scopes.as_slice().into(), token: Some(Arc::new(own)) }
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Goes on when the caller has one of the scopes.
    pub(super) fn needs(&self, any: &[Scope]) -> Result<(), ApiError> {
        if any.iter().any(|scope| self.may(*scope)) {
            return Ok(());
        }
        let names =
            any.iter().map(|scope| format!("{scope:?}").to_lowercase()).collect::<Vec<_>>().join(" or ");
        Err(ApiError::forbidden(format!(
            "this token lacks the scope {names}: add it to its scopes in [[api.tokens]]"
        )))
    }

    /// Goes on when the caller may look at what is not told apart by tenant.
    pub(super) fn oversees(&self) -> Result<(), ApiError> {
        self.needs(&[Scope::Read])?;
        if self.tenants().is_empty() {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "this shows the tasks of every tenant, and the token is for some: use another token",
        ))
    }

    pub(super) fn rights(&self) -> Rights {
        Rights { priority: self.may(Scope::Priority), token: self.token.clone() }
    }

    /// Whether the caller may know of this task: it is of one of its tenants and, for who may only enqueue,
    /// its own.
    pub(super) fn sees(&self, record: &Record) -> bool {
        let Some(token) = &self.token else { return true };
        let looks = self.may(Scope::Read) || self.may(Scope::Admin);
        token.is_for(record.tenant.as_deref()) && (looks || record.enqueued_by.as_ref() == Some(&token.name))
    }

    pub(super) fn is_for(&self, tenant: Option<&str>) -> bool {
        self.token.as_ref().is_none_or(|token| token.is_for(tenant))
    }

    /// The tenant of a listing: the one asked for, or the only one that the token is for.
    pub(super) fn tenant(&self, asked: Option<String>) -> Result<Option<String>, ApiError> {
        let tenants = self.tenants();
        match (asked, tenants) {
            (asked, []) => Ok(asked),
            (None, [only]) => Ok(Some(only.clone())),
            (Some(asked), own) if own.contains(&asked) => Ok(Some(asked)),
            (_, own) => {
                let message =
                    format!("this token is for the tenants {}: say which, with tenant=", own.join(", "));
                Err(ApiError::forbidden(message).at(Some("tenant")))
            }
        }
    }

    fn tenants(&self) -> &[String] {
        self.token.as_ref().map_or(&[], |token| &token.tenants)
    }
}

/// The tokens, each with its caller.
pub(super) struct Tokens(Vec<(SecretString, Caller)>);

impl Tokens {
    pub(super) fn new(tokens: &[Token]) -> Self {
        Self(tokens.iter().map(|token| (token.secret.clone(), Caller::of(token))).collect())
    }

    /// Every token is compared, and in constant time: how long it takes says nothing about any of them.
    fn find(&self, given: &[u8]) -> Option<&Caller> {
        self.0.iter().fold(None, |known, (secret, caller)| {
            let same = bool::from(secret.expose_secret().as_bytes().ct_eq(given));
            if same { Some(caller) } else { known }
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::unauthorised("the caller is unknown"))
    }
}

/// Lets a request in: with a known token or, where no tokens are configured, from this machine's own
/// programs.
pub(super) async fn admit(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let checked = headers::check(request.method(), request.uri(), request.headers());
    let tokens = api.tokens.now();
    let caller = match checked {
        Err(error) => Err(error),
        Ok(()) if tokens.0.is_empty() => local(&request),
        // Probes carry no token, and learn nothing here that they must not.
        Ok(()) if matches!(request.uri().path(), "/health" | "/livez" | "/readyz") => {
            return next.run(request).await;
        }
        Ok(()) => match authenticate(&tokens, request.headers()) {
            Err(Refused::Unknown(error)) => {
                slow(&api, request.extensions().get()).await;
                Err(error)
            }
            Err(Refused::Missing(error)) => Err(error),
            Ok(caller) => Ok(caller),
        },
    };
    match caller {
        Ok(caller) => {
            if let Some(Peer { activity, .. }) = request.extensions().get() {
                activity.mark_authenticated();
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
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

enum Refused {
    /// No token, or nothing like one.
    Missing(ApiError),
    /// An unknown token.
    Unknown(ApiError),
}

fn authenticate(tokens: &Tokens, headers: &HeaderMap) -> Result<Caller, Refused> {
    let missing = |message| Refused::Missing(ApiError::unauthorised(message));
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        missing("a token is needed: send the header Authorization: Bearer TOKEN (CLAWPOOL_TOKEN)")
    })?;
    let given = value.as_bytes();
    let given = match given.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => return Err(missing("the Authorization header must read: Bearer TOKEN")),
    };
    let known = tokens.find(given).cloned();
    known.ok_or_else(|| Refused::Unknown(ApiError::unauthorised("this token is not known here")))
}

/// Without tokens every program on this machine may do everything, but not every web page that its browser
/// shows: a page of another origin names itself in `Origin`, and one that had its own name point to this
/// machine in `Host`.
fn local(request: &Request) -> Result<Caller, ApiError> {
    let header = |name: HeaderName| {
        request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let host = request.uri().authority().map(ToString::to_string).or_else(|| header(header::HOST));
    if let Some(host) = &host
        && !is_local(host)
    {
        let message = format!(
            "the Host header names {host:?}: use localhost or an IP address, or configure api.tokens"
        );
        return Err(ApiError::forbidden(message));
    }
    if let Some(origin) = header(header::ORIGIN)
        && origin.split_once("://").map(|(_, authority)| authority) != host.as_deref()
    {
        let message = format!(
            "requests from web pages of {origin:?} are refused: configure api.tokens to allow others"
        );
        return Err(ApiError::forbidden(message));
    }
    // A page that only sends, and reads no answer, need not name its origin; browsers tell all the same.
    if let Some(site) = header(HeaderName::from_static("sec-fetch-site"))
        && !matches!(&*site, "same-origin" | "none")
    {
        let message =
            format!("requests from web pages are refused (Sec-Fetch-Site: {site:?}): configure api.tokens");
        return Err(ApiError::forbidden(message));
    }
    Ok(Caller::everyone())
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
