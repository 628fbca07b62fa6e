//! Durations as people write them: `"30s"`, `"1m 30s"`, `"250ms"`, or a number of seconds. For `#[serde(with
//! = "span")]`.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserializer, Serializer, de};

/// As text with units, `1m 30s`.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*span))
}

/// From text with units or a number of seconds. Refuses what is negative.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Unit::Seconds)
}

/// What a number stands for where a duration is read. Text has its units with it.
pub(super) enum Unit {
    Seconds,
    /// Whole ones only.
    Millis,
}

impl de::Visitor<'_> for Unit {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "a duration such as \"30s\" or \"1m 30s\", or a number of seconds",
            Self::Millis => "a number of milliseconds",
        })
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Duration, E> {
        Ok(match self {
            Self::Seconds => Duration::from_secs(number),
            Self::Millis => Duration::from_millis(number),
        })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Duration, E> {
        let positive = u64::try_from(number)
            .map_err(|_| E::custom(format_args!("{number} is negative: a duration is zero or more")))?;
        self.visit_u64(positive)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Duration, E> {
        match self {
            Self::Seconds => Duration::try_from_secs_f64(number)
                .map_err(|error| E::custom(format_args!("{number}: {error}"))),
            Self::Millis => Err(E::invalid_type(de::Unexpected::Float(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text).map_err(|error| {
            E::custom(format_args!("{text:?} is not a duration ({error}): write 30s, 5m or 1h"))
        })
    }
}

/// What a duration looks like in a document. For `#[schemars(with = "span::Text")]`.
pub struct Text;

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            return json_schema!({ "type": "string", "examples": ["1m 30s"] });
        }
        // Other units are read as well: these do.
        let text = "^[0-9]{1,5}(ms|s|m|h|d)( [0-9]{1,5}(ms|s|m|h|d)){0,3}$";
        json_schema!({
            "anyOf": [
                { "type": "string", "pattern": text, "description": "With units: `1m 30s`." },
                { "type": "number", "minimum": 0, "description": "In seconds." },
            ],
        })
    }
}

/// The same for `Option<Duration>`.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Span(#[serde(with = "super")] Duration);

    /// As text with units, or as nothing.
    pub fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(Span).serialize(serializer)
    }

    /// From text with units, a number of seconds, or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Span>::deserialize(deserializer)?.map(|span| span.0))
    }
}
