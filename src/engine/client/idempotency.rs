//! The key by which a request to enqueue is known again.
//!
//! Guarantees: a key that is made is one that a server takes. Never does: remember keys.

use std::{fmt, str::FromStr};

use clawpool_core::task::TaskId;

/// What the header `Idempotency-Key` holds: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongKey {
    /// There is nothing but space in it.
    #[error("the key is empty: send a UUID, or none at all")]
    Empty,
    /// It has more than [`IdempotencyKey::LONGEST`] bytes.
    #[error("the key is longer than 255 bytes: send a UUID")]
    Long,
    /// It has letters of other alphabets, or what cannot be seen.
    #[error("the key has other characters than visible ASCII: send a UUID")]
    Characters,
}

impl IdempotencyKey {
    /// Bytes of a key, at most.
    pub const LONGEST: usize = 255;

    /// A key that no other request has. Make it once, before the first try.
    pub fn unique() -> Self {
        Self(TaskId::new().to_string())
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = WrongKey;

    /// Space around it does not count.
    fn from_str(text: &str) -> Result<Self, WrongKey> {
        let key = text.trim_matches([' ', '\t']);
        if !key.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(WrongKey::Characters);
        }
        match key.len() {
            0 => Err(WrongKey::Empty),
            1..=Self::LONGEST => Ok(Self(key.to_owned())),
            _ => Err(WrongKey::Long),
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_not_too_long() {
        let read = |text: &str| text.parse::<IdempotencyKey>().map(|key| key.to_string());
        assert_eq!(read(" order 42\t"), Ok("order 42".to_owned()));
        assert_eq!(read(&"k".repeat(255)), Ok("k".repeat(255)));
        assert_eq!(read(&"k".repeat(256)), Err(WrongKey::Long));
        assert_eq!((read(""), read(" \t")), (Err(WrongKey::Empty), Err(WrongKey::Empty)));
        for other in ["grün", "two\nlines", "\u{7f}"] {
            assert_eq!(read(other), Err(WrongKey::Characters), "{other:?}");
        }
        let unique = IdempotencyKey::unique();
        assert_eq!(read(unique.as_str()).as_deref(), Ok(unique.as_str()));
        assert_ne!(unique, IdempotencyKey::unique());
    }
}
