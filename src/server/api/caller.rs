use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::error::ApiError;
use clawpool_backends::store::{DeadLetter, Record};
use clawpool_core::{config::Scope, task::Queue};
use clawpool_engine::dispatch::{ProducerToken, Rights};

/// The caller of a request, and what it may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    scopes: Arc<[Scope]>,
    /// None where no tokens are configured.
    token: Option<Arc<ProducerToken>>,
}

impl Caller {
    /// Any caller, where none has to say who it is.
    pub(super) fn everyone() -> Self {
        Self { scopes: Scope::ALL.into(), token: None }
    }

    pub(super) fn new(scopes: &[Scope], token: ProducerToken) -> Self {
        Self { scopes: scopes.into(), token: Some(Arc::new(token)) }
    }

    pub(super) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    pub(super) fn token(&self) -> Option<&ProducerToken> {
        self.token.as_deref()
    }

    /// Whether both may do the same, under one name.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.scopes == other.scopes && self.token == other.token
    }

    /// The name of its token.
    pub(super) fn name(&self) -> Option<&str> {
        self.token().map(|token| token.name.as_str())
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| own.contains(scope))
    }

    /// Goes on when the caller has one of the scopes.
    pub(super) fn needs(&self, any: &[Scope]) -> Result<(), ApiError> {
        if any.is_empty() || any.iter().any(|scope| self.may(*scope)) {
            return Ok(());
        }
        let names: Vec<&str> = any.iter().map(|scope| scope.name()).collect();
        let message =
            format!("this token lacks the scope {}: use another one, or one with it", names.join(" or "));
        Err(ApiError::forbidden(message))
    }

    /// Goes on when the caller may look at what is told apart neither by tenant nor by queue.
    pub(super) fn oversees(&self) -> Result<(), ApiError> {
        self.oversees_queues()?;
        if self.tenants().is_empty() {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "this shows the tasks of every tenant, and the token is for some: use another token",
        ))
    }

    /// Goes on when the caller may look at all queues.
    pub(super) fn oversees_queues(&self) -> Result<(), ApiError> {
        if self.token().is_none_or(|token| token.queues.is_empty()) {
            return Ok(());
        }
        Err(ApiError::forbidden("this shows every queue, and the token is for some: use another token"))
    }

    pub(super) fn rights(&self) -> Rights {
        Rights { priority: self.may(Scope::Priority), token: self.token.clone() }
    }

    /// Whether the caller may know of this task: it is of one of its tenants and on one of its queues and,
    /// for who may only enqueue, its own.
    pub(super) fn sees(&self, record: &Record) -> bool {
        let looks = [Scope::Read, Scope::Operate].into_iter().any(|scope| self.may(scope));
        self.is_for(record.tenant.as_deref(), record.queue) && (looks || self.has_enqueued(record))
    }

    /// Whether the task was enqueued with the caller's token.
    pub(super) fn has_enqueued(&self, record: &Record) -> bool {
        self.name().is_some_and(|name| record.enqueued_by.as_deref() == Some(name))
    }

    pub(super) fn sees_letter(&self, letter: &DeadLetter) -> bool {
        self.is_for(letter.tenant.as_deref(), letter.message.queue)
    }

    fn is_for(&self, tenant: Option<&str>, queue: Queue) -> bool {
        self.reaches(queue) && self.token().is_none_or(|token| token.is_for(tenant))
    }

    pub(super) fn reaches(&self, queue: Queue) -> bool {
        self.token().is_none_or(|token| token.reaches(queue))
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
        self.token().map_or(&[], |token| &token.tenants)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::unauthorised("the caller is unknown"))
    }
}
