//! Tokens: what opens the API, and how they are made, listed and revoked.
//!
//! Guarantees: a secret is told once, to who made it. Never does: change a token of the configuration.

mod known;
mod registry;
mod stored;

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

pub(super) use self::registry::{TokenRegistry, Unusable};
pub(super) use self::stored::hash;
use self::{registry::Unmade, stored::StoredToken};
use super::{Api, audit::Trail, body::Unread, caller::Caller, error::ApiError, query::Name};
use clawpool_core::task::{QueuePattern, Timestamp};
use clawpool_engine::client::access::{NewToken, NewTokenView, RevokedTokenView, TokensView};

pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<TokensView>, ApiError> {
    Ok(Json(TokensView { items: api.tokens.all().await?, required: api.tokens.are_required() }))
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    body: Unread,
) -> Result<(StatusCode, Json<NewTokenView>), ApiError> {
    let new: NewToken = body.read(&api).await?.decode(&api.config().limits)?;
    trail.about(&new.name);
    let expires_at = checked(&new)?;
    let NewToken { name, scopes, tenants, queues, .. } = new;
    let patterns: Vec<&str> = queues.iter().map(QueuePattern::as_str).collect();
    trail.tell(json!({
        "scopes": scopes, "tenants": tenants, "queues": patterns, "expires_at": expires_at,
    }));
    let secret = stored::secret()?;
    let token = StoredToken {
        hash: stored::hash(secret.expose_secret().as_bytes()),
        scopes,
        tenants,
        queues,
        created_at: Timestamp::now(),
        created_by: caller.name().map(str::to_owned),
        expires_at,
    };
    let token = api.tokens.add(&name, &token).await.map_err(|unmade| refusal(unmade, &name))?;
    let secret = secret.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(NewTokenView { token, secret, required: api.tokens.are_required() })))
}

fn refusal(unmade: Unmade, name: &str) -> ApiError {
    let message = match unmade {
        Unmade::Store(error) => return error.into(),
        Unmade::Taken => format!("there is a token {name:?}: revoke it first, or choose another name"),
        Unmade::Full => format!("there are {} tokens: revoke those that nobody uses", registry::MOST),
    };
    ApiError::new(StatusCode::CONFLICT, "CP-1415", message)
}

pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    name: Name,
) -> Result<Json<RevokedTokenView>, ApiError> {
    let name: String = name.parse("name")?;
    if api.tokens.revoke(&name).await? {
        return Ok(Json(RevokedTokenView { name, revoked: true }));
    }
    if api.tokens.is_configured(&name) {
        let message =
            format!("the token {name:?} is one of the configuration's: take it out of [[api.tokens]]");
        return Err(ApiError::new(StatusCode::CONFLICT, "CP-1415", message));
    }
    Err(ApiError::not_found(format!("there is no token {name:?}: see `clawpool tokens list`")))
}

/// Longer names are no names.
const LONGEST: usize = 64;
/// What is meant to last for longer has no end.
const FARTHEST: Duration = Duration::from_hours(10 * 366 * 24);

/// Refuses what no token may be; else until when this one lasts.
fn checked(new: &NewToken) -> Result<Option<Timestamp>, ApiError> {
    let NewToken { name, scopes, tenants, queues, .. } = new;
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        let message = format!("name {name:?}: a name has 1 to {LONGEST} letters, digits and . _ -");
        return Err(ApiError::field("name", message));
    }
    if scopes.is_empty() {
        let message = "a token without scopes allows nothing: name some of enqueue, priority, read, operate \
            and admin";
        return Err(ApiError::field("scopes", message));
    }
    if let Some(place) =
        tenants.iter().position(|tenant| tenant.is_empty() || tenant.contains(char::is_control))
    {
        let message = "a tenant's name is not empty and has no control characters";
        return Err(ApiError::field(format!("tenants[{place}]"), message));
    }
    let limited = [("tenants", tenants.is_empty()), ("queues", queues.is_empty())];
    let limited = limited.into_iter().find(|(_, empty)| !empty);
    if let (Some((field, _)), Some(scope)) = (limited, scopes.iter().find(|scope| scope.is_for_all())) {
        let message = format!(
            "the scope {scope} reaches the tasks of every tenant, on every queue: leave {field} out, or the \
             scope"
        );
        return Err(ApiError::field(field, message));
    }
    expiry(new)
}

fn expiry(new: &NewToken) -> Result<Option<Timestamp>, ApiError> {
    let now = Timestamp::now();
    match (new.ttl, new.expires_at) {
        (Some(_), Some(_)) => Err(ApiError::field("ttl", "send ttl or expires_at, not both")),
        (Some(ttl), None) if ttl.is_zero() => {
            Err(ApiError::field("ttl", "ttl is 0s: write how long the token lasts, for example 90d"))
        }
        (_, Some(end)) if end.looks_like_seconds() => {
            Err(ApiError::seconds_for_milliseconds("expires_at", end.as_millis()))
        }
        (_, Some(end)) if end <= now => {
            Err(ApiError::field("expires_at", format!("expires_at {end} is in the past")))
        }
        (ttl, expires_at) => match ttl.map(|ttl| now + ttl).or(expires_at) {
            Some(end) if end > now + FARTHEST => {
                let message = "that is more than ten years from now: leave it out, and the token lasts until \
                    it is revoked";
                Err(ApiError::field(if ttl.is_some() { "ttl" } else { "expires_at" }, message))
            }
            end => Ok(end),
        },
    }
}
