use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in whole milliseconds since 1970 (UTC). RFC 3339 text in JSON, an integer in MessagePack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// By the machine's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis().try_into().unwrap_or(u64::MAX))
    }

    /// From milliseconds since 1970 (UTC).
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970 (UTC).
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whether this number, meant as milliseconds, was given in seconds: it would be a moment of the first
    /// three years, before 3 March 1973, and in seconds one of the next three thousand. Zero is the same in
    /// both.
    pub const fn looks_like_seconds(self) -> bool {
        0 < self.0 && self.0 < 100_000_000_000
    }

    /// So long before now.
    pub fn ago(span: Duration) -> Self {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(Self::now().as_millis().saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_millis().try_into().unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// Accepts RFC 3339 text (`2026-01-31T09:00:00Z`) and milliseconds since 1970.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Of times that people write: none of them is beyond what can be written as text again.
        struct Visitor(bool);
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a time as RFC 3339 text or milliseconds since 1970")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Timestamp, E> {
                let time = i64::try_from(value).map(jiff::Timestamp::from_millisecond);
                if self.0 && !matches!(time, Ok(Ok(_))) {
                    return Err(E::custom(format_args!(
                        "{value} is after the year 9999: give milliseconds since 1970"
                    )));
                }
                Ok(Timestamp(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Timestamp, E> {
                let time: jiff::Timestamp =
                    value.parse().map_err(|error| E::custom(format_args!("{value:?}: {error}")))?;
                u64::try_from(time.as_millisecond()).map(Timestamp).map_err(E::custom)
            }
        }
        let written = deserializer.is_human_readable();
        deserializer.deserialize_any(Visitor(written))
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            return json_schema!({ "type": "string", "format": "date-time" });
        }
        json_schema!({
            "anyOf": [
                { "type": "string", "format": "date-time" },
                // Less would be seconds taken for milliseconds; more is beyond the year 9999.
                {
                    "type": "integer", "minimum": 100_000_000_000_u64, "maximum": 253_402_207_200_000_u64,
                    "description": "Milliseconds since 1970 (UTC).",
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_text_in_json_and_a_number_in_message_pack() {
        let time = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2023-11-14T22:13:20.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2023-11-14T22:13:20.123Z\"").unwrap(), time);
        assert_eq!(rmp_serde::from_slice::<Timestamp>(&rmp_serde::to_vec(&time).unwrap()).unwrap(), time);
        let refused = serde_json::from_str::<Timestamp>("18446744073709551615").unwrap_err().to_string();
        assert!(refused.contains("after the year 9999"), "{refused}");
    }
}
