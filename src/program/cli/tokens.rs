use std::{str::FromStr, time::Duration};

use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::{Failure, eprint_line},
    output::{dash, moment, plain, table},
};
use clawpool_core::{
    config::Scope,
    task::{QueuePattern, Timestamp},
};
use clawpool_engine::client::access::{NewToken, NewTokenView, RevokedTokenView, TokenView, TokensView};

/// Make, list and revoke tokens; those of the configuration are listed as well
#[derive(Debug, Args)]
pub(super) struct Tokens {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print its secret, which is told this once
    Add {
        /// Who will use it: letters, digits and . _ -
        name: String,
        /// enqueue, priority, read, operate or admin; several: --scope enqueue,read
        #[arg(long = "scope", required = true, value_delimiter = ',', value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// Only for tasks of this tenant; may be given again
        #[arg(long = "tenant", value_name = "TENANT")]
        tenants: Vec<String>,
        /// Only for tasks on these queues: a name, a pattern (llm.*), a priority (P4) or a lane (high); may
        /// be given again
        #[arg(long = "queue", value_name = "QUEUE")]
        queues: Vec<QueuePattern>,
        /// How long it lasts (90d), or until when (2027-01-31T00:00:00Z); without it, until it is revoked
        #[arg(long, value_name = "TIME")]
        expires: Option<Expiry>,
    },
    /// Who may call, and what for
    List,
    /// From now on the token opens nothing
    Revoke { name: String },
}

/// When a token expires. How long it lasts is counted by the dispatcher's clock.
#[derive(Clone, Copy, Debug)]
enum Expiry {
    After(Duration),
    At(Timestamp),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ttl) = humantime::parse_duration(text) {
            return Ok(Self::After(ttl));
        }
        let end = serde_json::from_value(text.into()).map(Self::At);
        end.map_err(|error| format!("{error}; or write how long it lasts, 90d"))
    }
}

impl Tokens {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            Action::Add { name, scopes, tenants, queues, expires } => {
                let (ttl, expires_at) = match expires {
                    Some(Expiry::After(ttl)) => (Some(ttl), None),
                    Some(Expiry::At(end)) => (None, Some(end)),
                    None => (None, None),
                };
                add(&NewToken { name, scopes, tenants, queues, ttl, expires_at }, globals).await
            }
            Action::List => list(globals).await,
            Action::Revoke { name } => revoke(&name, globals).await,
        }
    }
}

/// Standard output has the secret alone, so that a script can take it.
async fn add(new: &NewToken, globals: &Globals) -> Result<(), Failure> {
    let made: NewTokenView = globals.client()?.post("v1/tokens", new).await?;
    globals.output().show(&made, |made| made.secret.clone())?;
    let TokenView { name, scopes, expires_at, .. } = &made.token;
    let until = expires_at.map(|end| format!(" until {end}")).unwrap_or_default();
    eprint_line(&format!("{name}: {}{until}; the secret is not shown again", words(scopes)));
    warn_if_open(made.required);
    Ok(())
}

async fn list(globals: &Globals) -> Result<(), Failure> {
    let view: TokensView = globals.client()?.get("v1/tokens", &[]).await?;
    globals.output().show(&view, |view| listing(&view.items))?;
    warn_if_open(view.required);
    Ok(())
}

/// A token that keeps nobody out is easily taken for one that does.
fn warn_if_open(required: bool) {
    if !required {
        eprint_line(
            "requests without a token are let in as well, from this machine: set one in [[api.tokens]] of \
             the configuration to have every request need one",
        );
    }
}

pub(super) fn listing(tokens: &[TokenView]) -> String {
    let rows = tokens.iter().map(|token| {
        let queues: Vec<&str> = token.queues.iter().map(QueuePattern::as_str).collect();
        [
            plain(&token.name, 64),
            words(&token.scopes),
            all_if_empty(&token.tenants.join(", ")),
            all_if_empty(&queues.join(", ")),
            dash(token.expires_at.map(moment)),
            remark(token),
        ]
    });
    table(["NAME", "SCOPES", "TENANTS", "QUEUES", "EXPIRES", ""], rows)
}

fn remark(token: &TokenView) -> String {
    match token {
        TokenView { configured: true, .. } => "of the configuration".to_owned(),
        TokenView { expired: true, .. } => "expired".to_owned(),
        TokenView { created_by: Some(by), .. } => format!("made by {}", plain(by, 40)),
        _ => String::new(),
    }
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

fn all_if_empty(names: &str) -> String {
    if names.is_empty() { "all".to_owned() } else { plain(names, 60) }
}

async fn revoke(name: &str, globals: &Globals) -> Result<(), Failure> {
    let view: RevokedTokenView = globals.client()?.delete(&format!("v1/tokens/{name}"), &[]).await?;
    globals.output().show(&view, |view| format!("{}  revoked", plain(&view.name, 64)))
}
