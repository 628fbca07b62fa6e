use secrecy::ExposeSecret;

use super::{
    registry::Unusable,
    stored::{self, NOTES, StoredToken},
};
use crate::api::caller::Caller;
use clawpool_core::{config::Token, task::Timestamp};
use clawpool_engine::{client::access::TokenView, dispatch::ProducerToken};

/// A token as requests are held against it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) hash: String,
    caller: Caller,
    /// Absent for one of the configuration.
    stored: Option<StoredToken>,
}

impl Known {
    pub(super) fn configured(token: &Token) -> Self {
        let Token { name, secret, scopes, tenants, queues } = token;
        let own = ProducerToken { name: name.clone(), tenants: tenants.clone(), queues: queues.clone() };
        let hash = stored::hash(secret.expose_secret().as_bytes());
        Self { hash, caller: Caller::new(scopes, own), stored: None }
    }

    /// What this version cannot read in whole gives nobody a right.
    pub(super) fn read(note: &str, value: &[u8]) -> Option<Self> {
        let name = note.strip_prefix(NOTES)?;
        let stored: StoredToken = serde_json::from_slice(value)
            .inspect_err(|error| tracing::debug!(name, %error, "another version's token is not honoured"))
            .ok()?;
        let StoredToken { scopes, tenants, queues, .. } = &stored;
        let own = ProducerToken { name: name.into(), tenants: tenants.clone(), queues: queues.clone() };
        Some(Self { hash: stored.hash.clone(), caller: Caller::new(scopes, own), stored: Some(stored) })
    }

    pub(super) fn name(&self) -> &str {
        self.caller.name().unwrap_or_default()
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.stored.as_ref()?.expires_at
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expires_at().is_some_and(|end| end <= Timestamp::now())
    }

    pub(super) fn usable(&self) -> Result<Caller, Unusable> {
        match self.expires_at() {
            Some(end) if self.is_expired() => Err(Unusable::Expired(end)),
            _ => Ok(self.caller.clone()),
        }
    }

    pub(super) fn view(&self) -> TokenView {
        let token = self.caller.token();
        TokenView {
            name: self.name().to_owned(),
            scopes: self.caller.scopes().to_vec(),
            tenants: token.map(|token| token.tenants.clone()).unwrap_or_default(),
            queues: token.map(|token| token.queues.clone()).unwrap_or_default(),
            configured: self.stored.is_none(),
            created_at: self.stored.as_ref().map(|stored| stored.created_at),
            created_by: self.stored.as_ref().and_then(|stored| stored.created_by.clone()),
            expires_at: self.expires_at(),
            expired: self.is_expired(),
        }
    }
}

/// Every token is compared, and in constant time: how long it takes says nothing about any of them.
pub(super) fn pick<'a>(tokens: &'a [Known], hash: &str) -> Option<&'a Known> {
    tokens.iter().fold(None, |found, known| {
        let same = stored::are_same(&known.hash, hash);
        if same { Some(known) } else { found }
    })
}
