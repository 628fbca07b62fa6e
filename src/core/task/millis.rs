//! Durations as a number of milliseconds, for fields whose names end with `_ms`. For `#[serde(with =
//! "millis")]`. What an earlier version wrote as text, `1m 30s`, is read as well.

use std::time::Duration;

use serde::{Deserializer, Serializer};

use super::span::Unit;

/// As a whole number.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// From a number of milliseconds, or text with units. Refuses what is negative.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Unit::Millis)
}

/// The same for `Option<Duration>`.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Millis(#[serde(with = "super")] Duration);

    /// As a whole number, or as nothing.
    pub fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(Millis).serialize(serializer)
    }

    /// From a number of milliseconds, text with units, or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Millis>::deserialize(deserializer)?.map(|span| span.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Shown {
        #[serde(with = "super", rename = "lived_ms", alias = "lived")]
        lived: Duration,
        #[serde(default, with = "option", rename = "held_ms", alias = "held")]
        held: Option<Duration>,
    }

    #[test]
    fn is_a_number_and_an_earlier_versions_text_is_read() {
        let shown = Shown { lived: Duration::from_millis(61_500), held: None };
        let json = serde_json::to_string(&shown).unwrap();
        assert_eq!(json, r#"{"lived_ms":61500,"held_ms":null}"#);
        assert_eq!(serde_json::from_str::<Shown>(&json).unwrap(), shown);
        assert_eq!(serde_json::from_str::<Shown>(r#"{"lived":"1m 1s 500ms"}"#).unwrap(), shown);
        for wrong in ["-1", "1.5", "true", "\"soon\""] {
            assert!(serde_json::from_str::<Shown>(&format!(r#"{{"lived_ms":{wrong}}}"#)).is_err(), "{wrong}");
        }
    }
}
