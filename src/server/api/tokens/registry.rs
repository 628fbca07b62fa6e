//! All tokens: those of the configuration, and those that were made at run time.
//!
//! Guarantees: every dispatcher knows within moments of a token that was made or revoked, and the one that
//! was asked at once; a store that is away makes no known token unknown; of a token that was made only the
//! hash leaves this process, and none of any gets into a log. Never does: ask the store about tokens of the
//! configuration, or while nobody calls.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Mutex as Turn,
    time::{Instant, timeout},
};

use super::{
    known::{Known, pick},
    stored::{self, StoredToken},
};
use crate::api::caller::Caller;
use clawpool_backends::store::{NoteStore, StoreError};
use clawpool_core::task::Timestamp;
use clawpool_engine::{
    client::access::TokenView,
    live::{Derived, Live},
};

/// So long a token that was found is taken for good.
const FRESH: Duration = Duration::from_secs(1);
/// So long an unknown one is not looked for again, whatever callers show.
const MISSED: Duration = Duration::from_millis(50);
/// A store that takes longer is away. It keeps requests waiting that long, once in [`FRESH`].
const PATIENCE: Duration = Duration::from_millis(500);
/// Tokens that can be made: each request compares them all.
pub(super) const MOST: usize = 1_000;
/// The note of an expired token is shown for so long.
const SHOWN: Duration = Duration::from_hours(7 * 24);

pub(in crate::api) struct TokenRegistry {
    configured: Derived<Vec<Known>>,
    store: Arc<dyn NoteStore>,
    seen: Mutex<Seen>,
    /// Whose turn it is to read or change the notes: what was read before a change must not come after it.
    turn: Turn<()>,
}

/// The tokens that were made at run time, as of the last look.
#[derive(Clone, Default)]
struct Seen {
    tokens: Arc<[Known]>,
    looked: Option<Instant>,
    /// The last look failed: the tokens are those of an earlier one.
    failed: Option<StoreError>,
}

/// Why a token opens nothing.
#[derive(Debug)]
pub(in crate::api) enum Unusable {
    Unknown,
    Expired(Timestamp),
    /// None that is known, and the store does not say whether there are others.
    Unread(StoreError),
}

/// Why a token was not made.
pub(super) enum Unmade {
    /// There is one of this name.
    Taken,
    /// There are too many.
    Full,
    Store(StoreError),
}

impl From<StoreError> for Unmade {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl TokenRegistry {
    pub(in crate::api) fn new(live: &Live, store: Arc<dyn NoteStore>) -> Self {
        let configured =
            Derived::new(live, |config| config.api.tokens.iter().map(Known::configured).collect());
        Self { configured, store, seen: Mutex::default(), turn: Turn::default() }
    }

    /// Whether a request without a token is refused: the configuration has tokens.
    pub(in crate::api) fn are_required(&self) -> bool {
        !self.configured.now().is_empty()
    }

    /// Whose token this is.
    pub(in crate::api) async fn find(&self, secret: &[u8]) -> Result<Caller, Unusable> {
        self.find_hash(&stored::hash(secret)).await
    }

    /// The same, of what a secret is known by.
    pub(in crate::api) async fn find_hash(&self, hash: &str) -> Result<Caller, Unusable> {
        if let Some(known) = pick(&self.configured.now(), hash) {
            return known.usable();
        }
        let is_known = pick(&self.seen().tokens, hash).is_some();
        let seen = self.look(if is_known { FRESH } else { MISSED }).await;
        match (pick(&seen.tokens, hash), seen.failed) {
            (Some(known), _) => known.usable(),
            (None, Some(error)) => Err(Unusable::Unread(error)),
            (None, None) => Err(Unusable::Unknown),
        }
    }

    /// Those of the configuration, then the others by name.
    pub(super) async fn all(&self) -> Result<Vec<TokenView>, StoreError> {
        let _turn = self.turn.lock().await;
        let seen = self.read().await?;
        Ok(self.configured.now().iter().chain(&*seen.tokens).map(Known::view).collect())
    }

    /// Makes a token. An expired one of the same name is replaced.
    pub(super) async fn add(&self, name: &str, token: &StoredToken) -> Result<TokenView, Unmade> {
        let _turn = self.turn.lock().await;
        let seen = self.read().await?;
        let configured = self.configured.now();
        let mut others = configured.iter().chain(&*seen.tokens);
        if others.any(|other| other.name() == name && !other.is_expired()) {
            return Err(Unmade::Taken);
        }
        if seen.tokens.len() >= MOST {
            return Err(Unmade::Full);
        }
        let note = stored::note(name);
        let value = serde_json::to_vec(token).map_err(|error| stored::unwritable(&error))?;
        let keep = token.expires_at.map(|end| end.since(Timestamp::now()) + SHOWN);
        self.store.put_note(None, &note, value.into(), keep).await?;
        let seen = self.read().await?;
        let made = seen.tokens.iter().find(|known| known.name() == name && known.hash == token.hash);
        // Somebody else made one at the same moment, on another dispatcher.
        made.map(Known::view).ok_or(Unmade::Taken)
    }

    /// Forgets a token. False: there is none.
    pub(super) async fn revoke(&self, name: &str) -> Result<bool, StoreError> {
        let _turn = self.turn.lock().await;
        let was_there = self.store.erase_note(&stored::note(name)).await?;
        let mut seen = self.lock();
        seen.tokens = seen.tokens.iter().filter(|known| known.name() != name).cloned().collect();
        Ok(was_there)
    }

    /// Whether the configuration has a token of this name.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.configured.now().iter().any(|known| known.name() == name)
    }

    /// The tokens as of a look that is not older than `good_for`; after a failed one, those of before.
    async fn look(&self, good_for: Duration) -> Seen {
        let fresh = |seen: &Seen| seen.looked.is_some_and(|at| at.elapsed() < good_for);
        let seen = self.seen();
        if fresh(&seen) {
            return seen;
        }
        let Ok(_turn) = timeout(PATIENCE, self.turn.lock()).await else {
            return Seen { failed: Some(silence()), ..self.seen() };
        };
        // Another request may have looked meanwhile.
        let seen = self.seen();
        if fresh(&seen) {
            return seen;
        }
        drop(self.read().await);
        self.seen()
    }

    /// Asks the store. The caller has the turn.
    async fn read(&self) -> Result<Seen, StoreError> {
        let read = timeout(PATIENCE, self.store.notes(stored::NOTES)).await;
        let read = read.unwrap_or_else(|_| Err(silence()));
        let mut seen = self.lock();
        seen.looked = Some(Instant::now());
        match read {
            Ok(notes) => {
                let tokens = notes.iter().filter_map(|(note, value)| Known::read(note, value));
                // One name is one token, and the configuration's comes first.
                seen.tokens = tokens.filter(|known| !self.is_configured(known.name())).collect();
                seen.failed = None;
                Ok(seen.clone())
            }
            Err(error) => {
                seen.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is not known of a store that says nothing.
fn silence() -> StoreError {
    StoreError::Unavailable { store: "token", reason: format!("no answer within {PATIENCE:?}") }
}

#[cfg(test)]
mod tests;
