//! The shapes of `/v1/access`, `/v1/tokens` and `/v1/audit`.

use std::{net::IpAddr, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use clawpool_core::{
    config::Scope,
    task::{QueuePattern, Timestamp, span},
};

/// What the caller of a request may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccessView {
    /// Of its token; absent where none was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Only for tasks of these tenants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Only for tasks on these queues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueuePattern>,
    /// Requests need a token.
    pub required: bool,
    /// Nothing can be changed over HTTP, whatever the token.
    pub read_only: bool,
}

/// A token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Who will use it; no two tokens share one.
    pub name: String,
    /// What its user may do; at least one thing.
    pub scopes: Vec<Scope>,
    /// Only for tasks of these tenants. Empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Only for tasks on these queues. Empty: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueuePattern>,
    /// From now on; as text such as `90d`. At most one of `ttl` and `expires_at`; with neither it lasts until
    /// it is revoked.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<span::Text>")]
    pub ttl: Option<Duration>,
    /// See `ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// Who uses it; its tasks keep the name.
    pub name: String,
    /// What its user may do.
    pub scopes: Vec<Scope>,
    /// Only for tasks of these tenants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Only for tasks on these queues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueuePattern>,
    /// It stands in the configuration, and is not changed over HTTP.
    pub configured: bool,
    /// Absent for those of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The token that made it; absent where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Absent: it lasts until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its time is over: it opens nothing.
    pub expired: bool,
}

/// All tokens: those of the configuration, then the others by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokensView {
    /// One of each.
    pub items: Vec<TokenView>,
    /// False: the configuration has no tokens, so that who shows none may do everything.
    pub required: bool,
}

/// Answer to a token that was made. `Debug` is left out: it would show the secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[allow(missing_debug_implementations)]
pub struct NewTokenView {
    /// The token.
    #[serde(flatten)]
    pub token: TokenView,
    /// Told this once; the server keeps only its hash.
    pub secret: String,
    /// See [`TokensView::required`].
    pub required: bool,
}

/// Answer to a token that was revoked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RevokedTokenView {
    /// Of the token.
    pub name: String,
    /// It opens nothing any more.
    pub revoked: bool,
}

/// A change that somebody asked for over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditView {
    /// When it was answered.
    pub at: Timestamp,
    /// The token's name; absent where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was asked for: `queue.pause`, `token.add`.
    pub verb: String,
    /// Of what: the name of a queue, a pool or a token, or the id of a task or a worker. Empty where there is
    /// no single one.
    pub subject: String,
    /// What else the request said, without secrets.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
    /// Where the connection came from. Behind a proxy this is the proxy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// How it ended.
    pub outcome: Outcome,
    /// Of HTTP.
    pub status: u16,
    /// Why it was not done; for `clawpool explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it was asked for.
    Done,
    /// The caller has no right to it.
    Refused,
    /// A server was in trouble; part of it may have been done.
    Failed,
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "done" => Ok(Self::Done),
            "refused" => Ok(Self::Refused),
            "failed" => Ok(Self::Failed),
            _ => Err(format!("{text:?} is no outcome: it is done, refused or failed")),
        }
    }
}
