//! A token as the store keeps it.
//!
//! Guarantees: what is kept does not open anything. A secret is 256 random bits, so that one round of SHA-256
//! hides it: slow hashes are for passwords, which can be guessed one after another. Never does: keep a
//! secret.

use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::api::error::ApiError;
use clawpool_backends::store::StoreError;
use clawpool_core::{
    config::Scope,
    task::{QueuePattern, Timestamp},
};

/// The note of a token; its name is the note's. A field that this version does not know may be a limit, so
/// that a token with one is not honoured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredToken {
    /// Of the secret.
    pub(super) hash: String,
    pub(super) scopes: Vec<Scope>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tenants: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) queues: Vec<QueuePattern>,
    pub(super) created_at: Timestamp,
    /// The token that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

/// The notes of the tokens begin so; their names follow.
pub(super) const NOTES: &str = "token/";

pub(super) fn note(name: &str) -> String {
    format!("{NOTES}{name}")
}

/// Begins every secret, so that programs which look for leaked secrets find one.
const PREFIX: &str = "clawpool_";

/// A secret that nobody guesses.
pub(super) fn secret() -> Result<SecretString, ApiError> {
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| ApiError::internal("the system gives no random numbers"))?;
    Ok(format!("{PREFIX}{}", hex(&random)).into())
}

/// What a secret is known by.
pub(in crate::api) fn hash(secret: &[u8]) -> String {
    hex(digest(&SHA256, secret).as_ref())
}

/// How long this takes says nothing about where they differ.
pub(super) fn are_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

pub(super) fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { store: "token", reason: error.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_hash_is_sha_256_in_hexadecimal() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash(b""), empty);
        assert!(are_same(&hash(b""), empty) && !are_same(&hash(b"a"), empty) && !are_same("", empty));
    }

    #[test]
    fn secrets_are_long_and_no_two_are_alike() {
        let [one, other] = [secret().unwrap(), secret().unwrap()];
        assert_eq!(one.expose_secret().len(), PREFIX.len() + 64);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }

    #[test]
    fn a_limit_that_this_version_does_not_know_makes_a_token_unreadable() {
        let note = r#"{"hash":"a","scopes":["read"],"created_at":"2026-01-31T09:00:00Z"}"#;
        assert!(serde_json::from_str::<StoredToken>(note).is_ok());
        for other in [r#","kinds":["a"]}"#, r#","scopes":["root"]}"#] {
            let note = format!("{}{other}", note.trim_end_matches('}'));
            assert!(serde_json::from_str::<StoredToken>(&note).is_err(), "{note}");
        }
    }
}
